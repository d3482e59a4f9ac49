"""What a person reads on a card: names of strangers, numbers in their locale, progress without a known length."""

import re

import pytest
from playwright.async_api import Browser, expect

from services.entities import GoalStatus, Stream
from tests.app_process import AppProcess
from tests.browser import new_context
from tests.e2e.conftest import SignedIn, enter, live
from tests.world import World

pytestmark = pytest.mark.e2e


async def test_numbers_are_in_the_locale_of_the_reader(world: World, app: AppProcess, browser: Browser) -> None:
    org = await world.organization()
    ada = await world.person(org)
    stream = Stream(org_id=org, name="Import", completed=1234567, total=2536000)
    await world.insert(stream, by=ada)
    context = await new_context(browser, base_url=app.url, locale="de-DE")
    try:
        await enter(context, ada)
        page = await context.new_page()
        await page.goto("/monitoring")
        await expect(live(page, "streams", stream.id, "completed")).to_have_text("1.234.567")
        await expect(live(page, "streams", stream.id, "percentage")).to_have_text("48,6\u00a0%")
    finally:
        await context.close()


async def test_work_of_unknown_length_has_no_percentage(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    stream = Stream(org_id=org, name="Tail the log", completed=27, goal_status=GoalStatus.ON_TRACK)
    await world.insert(stream, by=ada)
    page = await window(ada)
    card = page.locator(f'.lw-card[data-id="{stream.id}"]')
    await expect(live(page, "streams", stream.id, "completed")).to_have_text("27")
    await expect(card).to_contain_text("done")
    # It counts on, however late the page shows it.
    await expect(live(page, "streams", stream.id, "duration_ms")).to_have_text(re.compile(r"^\d+ (s|m \d\d s)$"))
    await expect(card.get_by_role("progressbar")).not_to_have_attribute("aria-valuenow", "0")
    await world.sql(
        "update streams set goal_status = 'completed', finished_at = created_at + interval '12 s' where id = %s",
        stream.id,
    )
    await expect(live(page, "streams", stream.id, "duration_ms")).to_have_text("12 s")
    await world.sql("update streams set total = 54 where id = %s", stream.id)
    await expect(live(page, "streams", stream.id, "percentage")).to_have_text("50.0%")
    await world.sql("update streams set total = 0 where id = %s", stream.id)
    await expect(live(page, "streams", stream.id, "percentage")).to_have_count(0)
    assert "%" not in await card.inner_text()


async def test_a_name_neither_acts_on_the_page_nor_hides(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    named = {
        "a\u202egnp.exe": "agnp.exe",
        "\x1b[31mred": "red",
        "\u2800\u200b": "(no visible name)",
        "\u0627\u0633\u062a\u064a\u0631\u0627\u062f 7": "\u0627\u0633\u062a\u064a\u0631\u0627\u062f 7",
    }
    streams = {name: Stream(org_id=org, name=name) for name in named}
    for stream in streams.values():
        await world.insert(stream, by=ada)
    page = await window(ada)
    for name, shown in named.items():
        title = live(page, "streams", streams[name].id, "name")
        await expect(title).to_have_text(shown)
        assert await title.evaluate("(element) => getComputedStyle(element).unicodeBidi") == "isolate"
    await page.get_by_test_id("search").fill("RÉD")
    await expect(page.locator(".lw-card")).to_have_count(1)


async def test_a_long_name_keeps_the_end_that_tells_it_from_its_like(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    name = "Packages of the northern warehouse, 25 Nov 17:54:01"
    stream = Stream(org_id=org, name=name)
    await world.insert(stream, by=ada)
    page = await window(ada)
    title = live(page, "streams", stream.id, "name")
    await expect(title).to_have_text(name)
    end = title.locator(".lw-name__end")
    await expect(end).to_have_text("v 17:54:01")
    edges = "(element) => [element, element.closest('.lw-card')].map((each) => each.getBoundingClientRect().right)"
    right, card_right = await end.evaluate(edges)
    assert right < card_right


async def test_bars_stand_below_their_run_and_amounts_have_units(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    bars = [
        {"id": "0", "name": "Epochs", "status": "in_progress", "completed": 1, "total": 4},
        *(
            {"id": str(n), "parent": "0", "name": f"Batch {n}", "status": "completed", "completed": 2048, "unit": "B"}
            for n in range(1, 30)
        ),
    ]
    stream = Stream(
        org_id=org, name="Training", completed=5 * 2**20, total=10 * 2**20, unit="B", bars=bars, bar_count=31
    )
    await world.insert(stream, by=ada)
    page = await window(ada)
    card = page.locator(f'.lw-card[data-id="{stream.id}"]')
    await expect(live(page, "streams", stream.id, "completed")).to_have_text("5 MiB")
    lines = card.locator(".lw-bars > li")
    await expect(lines).to_have_count(4)
    await expect(lines.first).to_contain_text("Epochs")
    await expect(lines.last).to_have_text("and 28 more")
    await page.goto(f"/streams/{stream.id}")
    about = page.get_by_role("region", name="About")
    lines = about.locator(".lw-bars > li")
    await expect(lines).to_have_count(21)
    await expect(lines.nth(1)).to_contain_text("2 KiB")
    await lines.last.get_by_role("button", name="Show all 30").click()
    await expect(lines).to_have_count(31)
    await expect(lines.last).to_have_text("and 1 more")
