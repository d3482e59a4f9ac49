"""Live lists in a browser."""

import re
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from pages.gallery.rows import rows_of
from services.entities import AGENTS, ALERTS, ENTITIES, SCANS, STREAMS, Entity
from tests.browser import new_context
from tests.components.conftest import Gallery, Open, running_gallery

pytestmark = pytest.mark.e2e
HOSTILE = '<img src=x onerror="document.title=1">{{ 7 * 7 }}'


async def test_skeletons_hold_the_place_until_the_first_rows(open_page: Open) -> None:
    page = await open_page("/list/streams", moving=True)
    await expect(page.locator(".lw-ghost")).to_have_count(STREAMS.skeletons)
    await apply(page, {"set": {"a": stream("A")}})
    await expect(page.locator(".lw-ghost")).to_have_count(STREAMS.skeletons)
    await apply(page, {"reset": {"order": ["a"], "rows": {"a": stream("A")}}})
    await expect(page.locator(".lw-ghost")).to_have_count(0)
    await expect(value(page, "a", "name")).to_have_text("A")


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.table)
@pytest.mark.parametrize("width", [1440, 360])
async def test_rows_take_no_more_height_than_their_skeletons_and_overflow_nothing(
    open_page: Open, entity: Entity[Any], width: int
) -> None:
    page = await open_page(f"/list/{entity.table}", width=width)
    ghost = await height(page.locator(".lw-ghost").first)
    rows = rows_of(entity)
    await apply(page, {"reset": rows})
    row = page.locator("[role=listitem]").nth(1)
    await expect(row).to_be_visible()
    if width == 1440:
        assert await height(row) == pytest.approx(ghost, abs=1)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("entity", [STREAMS, SCANS, AGENTS, ALERTS], ids=lambda entity: entity.table)
async def test_what_is_out_of_sight_takes_the_height_it_will_have(open_page: Open, entity: Entity[Any]) -> None:
    page = await open_page(f"/list/{entity.table}")
    row = rows_of(entity)["rows"][f"{entity.table}-0"]
    ids = [f"r{index}" for index in range(300)]
    await apply(page, {"reset": {"order": ids, "rows": dict.fromkeys(ids, row)}})
    rows = page.locator("[role=listitem]")
    assert await height(rows.last) == pytest.approx(await height(rows.first), abs=1)


async def test_every_live_value_of_a_stream_can_be_found(open_page: Open) -> None:
    page = await open_page("/list/streams")
    await apply(page, {"reset": {"order": ["a"], "rows": {"a": stream("A")}}})
    shown = {"name": "A", "completed": "128", "total": "300", "percentage": "42.6%", "goal_status": "On track"}
    for field, text in shown.items():
        await expect(value(page, "a", field)).to_have_text(text)
    await expect(value(page, "a", "goal_status")).to_have_attribute("data-value", "on_track")
    await expect(page.get_by_role("progressbar", name="Progress of A")).to_have_attribute("aria-valuenow", "42.6")
    await expect(page.get_by_role("link", name="A", exact=True)).to_have_attribute("href", "/streams/a")


async def test_a_percentage_is_in_whole_tenths_that_are_reached(open_page: Open) -> None:
    page = await open_page("/list/acquisition_scans", moving=True)
    (scan, *_) = rows_of(SCANS)["rows"].values()
    shown = {
        0: "0%",
        18.4: "18.4%",
        29.0: "29.0%",
        48.75: "48.7%",
        57.99999999999999: "58.0%",
        99.97: "99.9%",
        100: "100%",
    }
    rows = {str(part): {**scan, "progress_percentage": part} for part in shown}
    await apply(page, {"reset": {"order": list(rows), "rows": rows}})
    for part, text in shown.items():
        await expect(value(page, str(part), "progress_percentage")).to_have_text(text)


async def test_a_change_shows_and_touches_its_own_card_only(open_page: Open) -> None:
    page = await open_page("/list/streams", moving=True)
    ids = [f"s{index}" for index in range(50)]
    await apply(page, {"reset": {"order": ids, "rows": {id: stream(id) for id in ids}}})
    await expect(value(page, "s49", "completed")).to_have_text("128")
    await page.evaluate("""() => {
        window.touched = new Set();
        new MutationObserver((records) => records.forEach((record) => {
            const element = record.target.nodeType === 1 ? record.target : record.target.parentElement;
            touched.add(element.closest("[role=listitem]")?.dataset.id ?? "list");
        })).observe(document.querySelector(".lw-list"),
                    { subtree: true, childList: true, characterData: true, attributes: true });
    }""")
    await apply(page, {"set": {"s7": {"completed": 129, "percentage": 43.0}}})
    await expect(value(page, "s7", "completed")).to_have_text("129")
    await expect(value(page, "s7", "percentage")).to_have_text("43.0%")
    await expect(value(page, "s7", "total")).to_have_text("300")
    assert await page.evaluate("[...touched]") == ["s7"]


async def test_an_order_moves_adds_and_removes_and_keeps_the_cards(open_page: Open) -> None:
    page = await open_page("/list/streams", moving=True)
    await apply(page, {"reset": {"order": ["a", "b", "c"], "rows": {id: stream(id) for id in "abc"}}})
    await expect(value(page, "c", "name")).to_be_visible()
    await page.evaluate("window.kept = document.querySelector('[role=listitem][data-id=c]')")
    await apply(page, {"order": ["c", "d", "a"], "set": {"d": stream("d"), "a": {"completed": 5}}})
    await expect(value(page, "b", "name")).to_have_count(0)
    assert await ids_shown(page) == ["c", "d", "a"]
    await expect(value(page, "a", "completed")).to_have_text("5")
    assert await page.evaluate("kept === document.querySelector('[role=listitem][data-id=c]')")
    await apply(page, {"order": []})
    await expect(page.get_by_text("No streams yet.")).to_be_visible()


async def test_a_reset_replaces_everything(open_page: Open) -> None:
    page = await open_page("/list/streams")
    await apply(
        page, {"reset": {"order": ["a", "b"], "rows": {"a": stream("a", quality_target="95%"), "b": stream("b")}}}
    )
    await expect(value(page, "a", "quality_target")).to_have_text("95%")
    again = stream("a", completed=200)
    del again["quality_target"]
    await apply(page, {"reset": {"order": ["a"], "rows": {"a": again}}})
    await expect(value(page, "a", "completed")).to_have_text("200")
    await expect(value(page, "a", "quality_target")).to_have_count(0)
    assert await ids_shown(page) == ["a"]


async def test_texts_are_never_markup(open_page: Open) -> None:
    page = await open_page("/list/streams")
    await apply(page, {"reset": {"order": ["a"], "rows": {"a": stream(HOSTILE, goal_status="<b>")}}})
    await expect(value(page, "a", "name")).to_have_text(HOSTILE)
    await expect(value(page, "a", "goal_status")).to_have_text("<b>")
    assert await page.locator(".lw-list img, .lw-list b:not([data-field])").count() == 0


async def test_marking_an_alert_as_read_reaches_the_server_and_comes_back(open_page: Open) -> None:
    page = await open_page("/list/signal_alerts")
    await apply(page, {"reset": rows_of(ALERTS)})
    await expect(value(page, "signal_alerts-0", "is_read")).to_have_attribute("data-value", "false")
    await page.get_by_role("button", name="Mark as read: requests").click()
    await expect(value(page, "signal_alerts-0", "is_read")).to_have_attribute("data-value", "true")
    await expect(page.get_by_role("button", name="Mark as read: requests")).to_have_count(0)


async def test_the_time_of_a_running_agent_ticks_in_the_browser(open_page: Open) -> None:
    page = await open_page("/list/agent_executions")
    running = {"agent_name": "A", "status": "running", "started_at": await page.evaluate("Date.now() - 61000")}
    await apply(page, {"reset": {"order": ["a"], "rows": {"a": running}}})
    elapsed = value(page, "a", "duration_ms")
    await expect(elapsed).to_have_text(re.compile(r"^1 m \d\d s$"))
    await expect(elapsed).not_to_have_text(str(await elapsed.text_content()))
    await expect(value(page, "a", "started_at")).to_have_text("1 min ago")
    await apply(page, {"set": {"a": {"status": "completed", "duration_ms": 3210}}})
    await expect(value(page, "a", "duration_ms")).to_have_text("3.2 s")


async def test_a_window_that_loses_its_server_says_so_by_itself_and_recovers(open_page: Open) -> None:
    page = await open_page("/list/streams")
    await apply(page, {"reset": {"order": ["a"], "rows": {"a": stream("A")}}})
    chip = page.locator('[data-table="connection"][data-field="status"]')
    before = await chip.get_attribute("data-value")
    await page.evaluate("socket.disconnect()")
    await expect(chip).to_have_attribute("data-value", "disconnected")
    await expect(chip).to_have_text("Offline")
    await expect(page.get_by_text("as of")).to_be_visible()
    await page.evaluate("socket.connect()")
    await expect(chip).to_have_attribute("data-value", str(before))
    await expect(page.get_by_text("as of")).to_have_count(0)


async def test_a_killed_server_shows_as_offline_at_once(browser: Any) -> None:
    async with running_gallery() as gallery:
        page = await (await new_context(browser)).new_page()
        await open_list(page, gallery)
        gallery.process.kill()
        chip = page.locator('[data-table="connection"][data-field="status"]')
        await expect(chip).to_have_attribute("data-value", "disconnected")
        await expect(value(page, "a", "name")).to_have_text("A")
        await page.context.close()


async def open_list(page: Page, gallery: Gallery) -> None:
    await page.goto(gallery.url + "/list/streams")
    await page.wait_for_function("window.did_handshake")
    await apply(page, {"reset": {"order": ["a"], "rows": {"a": stream("A")}}})


async def apply(page: Page, batch: dict[str, Any]) -> None:
    """Apply a batch to the list, like the server."""
    await page.wait_for_selector(".lw-list")
    await page.evaluate("(batch) => getElement(document.querySelector('.lw-list')).apply(batch)", batch)


def stream(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "stream_type": "general",
        "goal_status": "on_track",
        "completed": 128,
        "total": 300,
        "percentage": 42.6,
        "quality_target": None,
        "updated_at": 1_700_000_000_000,
    } | fields


def value(page: Page, id: str, field: str) -> Locator:
    return page.locator(f'.lw-list [data-id="{id}"][data-field="{field}"]')


async def ids_shown(page: Page) -> list[str]:
    ids: list[str] = await page.evaluate(
        "[...document.querySelectorAll('.lw-list [role=listitem]')].map((item) => item.dataset.id)"
    )
    return ids


async def height(locator: Locator) -> float:
    box = await locator.bounding_box()
    assert box
    return box["height"]
