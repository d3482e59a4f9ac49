"""Elements in a browser that never paints: values appear immediately, regardless of animations."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from pages.gallery.rows import rows_of
from services.entities import AGENTS, STREAMS
from tests.browser import seen, without_frames
from tests.components.conftest import Gallery

pytestmark = pytest.mark.e2e
OpenFrameless = Callable[[str], Awaitable[Page]]
APPLY = """async ([at, batch, reading]) => {
    const host = document.querySelector(at);
    getElement(host).apply(batch);
    await Vue.nextTick();
    return [...document.querySelectorAll(reading)].map((element) => element.textContent.trim());
}"""


@pytest.fixture
async def frameless(browser: Browser, gallery: Gallery) -> AsyncIterator[OpenFrameless]:
    """Yield a function that opens a page of the gallery without animation frames."""
    context = await without_frames(browser, gallery.url)

    async def open_page(path: str) -> Page:
        page = await context.new_page()
        await page.goto(path)
        return page

    yield open_page
    await context.close()


async def applied(page: Page, at: str, batch: dict[str, Any], reading: str) -> list[str]:
    """Apply a batch to an element; returns the texts directly afterwards, in the same browser task."""
    await page.wait_for_selector(at, state="attached")
    texts: list[str] = await page.evaluate(APPLY, [at, batch, reading])
    return texts


async def test_a_counter_is_its_new_value(frameless: OpenFrameless) -> None:
    page = await frameless("/list/streams")
    number = '[data-table="stats"][data-id="active"][data-field="value"]'
    assert await applied(page, ".lw-stats", {"set": {"active": {"value": 12}}}, number) == ["12"]
    assert await applied(page, ".lw-stats", {"set": {"active": {"value": 4000}}}, number) == ["4,000"]
    assert await seen(page.locator(number)) == ["4,000"]


async def test_rows_that_come_and_move_can_be_read(frameless: OpenFrameless) -> None:
    page = await frameless("/list/agent_executions")
    rows = rows_of(AGENTS)
    first, second, *_ = rows["order"]
    names = '.lw-list [data-field="agent_name"]'
    at_first = {"order": [first], "rows": {first: rows["rows"][first]}}
    shown = await applied(page, ".lw-list", {"reset": at_first}, names)
    await page.wait_for_function("performance.now() > 1000", polling=50)  # rows of a new page do not move
    both = {"set": {second: rows["rows"][second]}, "order": [second, first]}
    assert await applied(page, ".lw-list", both, names) == [rows["rows"][second]["agent_name"], *shown]
    assert len(await seen(page.locator(names))) == 2


async def test_a_bar_has_its_width(frameless: OpenFrameless) -> None:
    page = await frameless("/list/streams")
    rows = rows_of(STREAMS)
    id = rows["order"][0]
    await applied(page, ".lw-list", {"reset": {"order": [id], "rows": {id: rows["rows"][id]}}}, ".lw-list")
    await applied(page, ".lw-list", {"set": {id: {"percentage": 75.0}}}, ".lw-list")
    bar = page.locator(".lw-list .lw-bar")
    await expect(bar).to_have_attribute("aria-valuenow", "75")
    await expect(bar.locator(".lw-bar__fill")).to_have_attribute("style", "transform: translateX(-25%);")


async def test_a_toast_can_be_read_and_the_tab_tells_of_it(frameless: OpenFrameless) -> None:
    page = await frameless("/")
    row = {"table": "signal_alerts", "id": "a", "title": "numpy", "message": "late", "level": "high", "rank": 2}
    batch = {"set": {"unread": {"signal_alerts": 1}, "arrived": {"rows": [{**row, "href": "/alerts"}]}}}
    assert await applied(page, ".lw-toasts", batch, "head > title") == ["(1) Dashboard · Livewatch"]
    toast = page.get_by_test_id("toast")
    await expect(toast).to_have_count(1)
    assert "numpy" in (await seen(toast))[0]
    await expect(page.locator('link[rel~="icon"][href^="data:image/png"]')).to_have_count(1)


@pytest.mark.parametrize("chart", [".lw-chart", ".lw-timeline"])
async def test_a_chart_is_as_wide_as_its_place(frameless: OpenFrameless, chart: str) -> None:
    page = await frameless("/")
    line = page.locator(f"{chart} :is([data-field=bar], [data-testid=history-line])").last
    await expect(line).to_be_attached()
    reach = "([line, place]) => line.getBoundingClientRect().right / place.getBoundingClientRect().right"
    ends = await page.evaluate(reach, [await line.element_handle(), await page.locator(chart).first.element_handle()])
    assert ends > 0.95


async def test_a_list_that_lost_its_server_says_as_of_when_it_is_true(frameless: OpenFrameless) -> None:
    page = await frameless("/list/agent_executions")
    await applied(page, ".lw-list", {"reset": rows_of(AGENTS)}, ".lw-list")
    await page.wait_for_function("window.socket?.connected", polling=50)
    lose = """async () => {
        socket.disconnect();
        await Vue.nextTick();
        return document.querySelectorAll(".lw-list--stale").length;
    }"""
    assert await page.evaluate(lose) == 0, "a short loss greys nothing"
    as_of = page.locator(".lw-list__asof span")
    await expect(as_of).to_contain_text("as of")
    assert (await seen(as_of))[0].startswith("as of")


async def test_a_menu_opens(frameless: OpenFrameless) -> None:
    page = await frameless("/")
    await page.get_by_role("button", name="Account of Ada Lovelace").click()
    sign_out = page.get_by_role("button", name="Sign out")
    await expect(sign_out).to_be_visible()
    assert await seen(sign_out)
