"""A window on a slow connection: fewer frames, the newest values, and no delay for other windows."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, expect

from services.entities import Stream
from tests.app_process import AppProcess
from tests.browser import new_context
from tests.e2e.conftest import VIEWPORT, SignedIn, live, sign_in
from tests.proxies import TcpProxy
from tests.world import World

pytestmark = pytest.mark.e2e
STREAMS = 20
ROUNDS = 15
RATE = 100
WATCHED_SECONDS = 30
MAX_AGE_SECONDS = 10.5


@pytest.fixture
async def line(app: AppProcess) -> AsyncIterator[TcpProxy]:
    async with TcpProxy(app.url) as line:
        yield line


async def shows(page: Page, values: dict[str, int]) -> None:
    for id, value in values.items():
        await expect(live(page, "streams", id, "completed")).to_have_text(str(value))


async def test_a_window_does_not_call_values_live_that_a_slow_network_has_made_old(
    world: World, browser: Browser, line: TcpProxy
) -> None:
    """Three seconds each way: the server gives the socket up after eight, and the window hears of it at eleven."""
    org = await world.organization()
    ada = await world.person(org)
    stream = Stream(org_id=org, name="Slow", total=100_000)
    await world.insert(stream, by=ada)
    context = await new_context(browser, base_url=line.url, viewport=VIEWPORT)
    page = await context.new_page()
    await sign_in(page, ada, "/monitoring")
    await page.wait_for_selector('body[data-live="connected"]')
    line.delay = 3.0
    shown = live(page, "streams", stream.id, "completed")
    written: list[float] = [time.monotonic()]
    oldest = 0.0
    while time.monotonic() - written[0] < WATCHED_SECONDS:
        await world.sql("update streams set completed = completed + 1 where id = %s", stream.id)
        written.append(time.monotonic())
        value, status = int(await shown.inner_text()), await page.locator("body").get_attribute("data-live")
        if status == "connected" and value + 1 < len(written):
            oldest = max(oldest, time.monotonic() - written[value + 1])
        await asyncio.sleep(0.2)
    assert oldest < MAX_AGE_SECONDS, f"{oldest:.1f} s old under Connected"
    line.delay = 0.0
    await expect(page.locator("body")).to_have_attribute("data-live", "connected")
    await expect(shown).to_have_text(str(len(written) - 1))
    await context.close()


async def test_a_window_whose_newest_frame_is_old_by_the_servers_clock_is_late(world: World, window: SignedIn) -> None:
    """Whatever held it up; the next frame on time makes it live again."""
    org = await world.organization()
    ada = await world.person(org)
    await world.insert(Stream(org_id=org, name="Slow", total=100_000), by=ada)
    page = await window(ada, "/monitoring")
    body, chip = page.locator("body"), page.locator('[data-table="connection"][data-id="feed"][data-field="status"]')
    await expect(page.get_by_text("Slow")).to_be_visible()
    # The first paint shows rows before the window is live.
    await expect(body).to_have_attribute("data-live", "connected")
    await expect(chip).to_have_attribute("data-value", "connected")
    await page.evaluate(
        """() => {
            window.seen = [];
            new MutationObserver(() => window.seen.push(document.body.dataset.live))
                .observe(document.body, { attributes: true, attributeFilter: ["data-live"] });
            const old = [[], null, null, Date.now() - 20000, 0];
            for (const take of window.socket.listeners("livewatch_frame")) take(old);
        }"""
    )
    await expect(chip).to_have_attribute("data-value", "connected")
    await expect(body).to_have_attribute("data-live", "connected")
    assert (await page.evaluate("() => window.seen")) == ["late", "connected"]


def count_frames(page: Page) -> list[object]:
    """Record the messages of the sockets that the page opens from now on."""
    frames: list[object] = []

    def received(frame: object) -> None:
        frames.append(frame)

    page.on("websocket", lambda socket: socket.on("framereceived", received))
    return frames


async def test_a_window_behind_64_kbit_and_400_ms_stays_correct_and_slows_nobody(
    world: World, window: SignedIn, browser: Browser, line: TcpProxy
) -> None:
    org = await world.organization()
    ada, eve = await world.person(org), await world.person(org)
    streams = [Stream(org_id=org, name=f"Stream {n}", total=100_000) for n in range(STREAMS)]
    for stream in streams:
        await world.insert(stream, by=ada)
    quick = await window(ada, "/")
    many = count_frames(quick)
    await quick.goto("/monitoring")
    context = await new_context(browser, base_url=line.url, viewport=VIEWPORT)
    slow = await context.new_page()
    few = count_frames(slow)
    await sign_in(slow, eve, "/monitoring")
    await slow.wait_for_selector('body[data-live="connected"]')
    system = await window(ada, "/monitoring/system")
    quality = system.locator('[data-table="windows"][data-field="quality"]')
    await expect(quality.filter(has_text="Good")).to_have_count(3)

    line.delay, line.rate = 0.2, 8000.0
    many.clear()
    few.clear()
    for _ in range(ROUNDS):
        for stream in streams:
            await world.sql("update streams set completed = completed + 1 where id = %s", stream.id)
            await asyncio.sleep(1 / RATE)
    final = {str(stream.id): ROUNDS for stream in streams}
    await shows(quick, final)
    await shows(slow, final)
    assert len(few) < len(many) / 2, f"many changes are one frame: {len(few)} {len(many)}"
    await expect(quality.filter(has_text="Good")).to_have_count(2)
    await expect(quality.filter(has_text="Fair").or_(quality.filter(has_text="Poor"))).to_have_count(1)
    line.delay = line.rate = 0.0
    await world.sql("update streams set completed = completed + 1 where org_id = %s", org)
    await shows(slow, {id: value + 1 for id, value in final.items()})
    await context.close()
