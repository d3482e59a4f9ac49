"""The page's times under a wrong clock, in another time zone, and over a change of daylight saving time."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from services.entities import GoalStatus, Stream
from tests.app_process import AppProcess
from tests.browser import new_context
from tests.e2e.conftest import enter, live
from tests.world import World, until

pytestmark = pytest.mark.e2e
SHIFT = """
    (() => {
        const Real = Date;
        window.shift = %d;
        Date = class extends Real {
            constructor(...given) { given.length ? super(...given) : super(Real.now() + window.shift); }
            static now() { return Real.now() + window.shift; }
        };
    })();
"""
"""Init script that moves the browser's clock by some milliseconds."""
TICKS = "async ([from, to, most]) => (await import('formats')).axis.times(from, to, most).map((tick) => tick.text)"


@pytest.fixture
async def context(app: AppProcess, browser: Browser) -> AsyncIterator[BrowserContext]:
    context = await new_context(browser, base_url=app.url, timezone_id="Europe/Berlin", locale="en-GB")
    yield context
    await context.close()


async def open_live(context: BrowserContext, path: str) -> Page:
    page = await context.new_page()
    await page.goto(path)
    await page.wait_for_selector('body[data-live="connected"]')
    return page


@pytest.mark.parametrize("shift", [timedelta(hours=3), timedelta(minutes=-20), timedelta(days=-4000)], ids=str)
async def test_a_wrong_clock_changes_no_time_on_the_page(
    world: World, context: BrowserContext, shift: timedelta
) -> None:
    org = await world.organization()
    ada = await world.person(org)
    stream = Stream(org_id=org, name="Import", goal_status=GoalStatus.ON_TRACK, completed=5, total=10)
    await world.insert(stream, by=ada)
    await world.sql(
        "update streams set heartbeat_at = now(), heartbeat_interval = 600, completed = 6 where id = %s", stream.id
    )
    await context.add_init_script(SHIFT % (shift / timedelta(milliseconds=1)))
    await enter(context, ada)
    page = await open_live(context, "/monitoring")
    age = live(page, "streams", stream.id, "updated_at")
    # Any second may be missed on a busy machine; a clock that is believed would say hours.
    await expect(age).to_have_text(re.compile(r"^(just now|\d+ s ago)$"))
    await expect(live(page, "streams", stream.id, "unreachable")).to_have_count(0)
    await expect(live(page, "streams", stream.id, "stalled")).to_have_count(0)
    await page.evaluate("window.shift += 7200e3")  # the clock jumps
    await expect(age).to_have_text(re.compile(r"^\d+ s ago$"))
    await expect(live(page, "streams", stream.id, "unreachable")).to_have_count(0)


async def test_a_moment_of_another_day_has_its_date(world: World, context: BrowserContext) -> None:
    org = await world.organization()
    ada = await world.person(org)
    stream = Stream(org_id=org, name="Import", goal_status=GoalStatus.ON_TRACK)
    await world.insert(stream, by=ada)
    beat = "update streams set heartbeat_at = %s, heartbeat_interval = 1 where id = %s"
    await world.sql(beat, datetime.now(UTC) - timedelta(days=3), stream.id)
    await enter(context, ada)
    page = await open_live(context, "/monitoring")
    since = live(page, "streams", stream.id, "unreachable")
    await expect(since).to_contain_text(f"{datetime.now(UTC) - timedelta(days=3):%Y}, ")
    await world.sql(beat, datetime.now(UTC) - timedelta(seconds=5), stream.id)

    async def is_time_only() -> bool:
        return str(datetime.now(UTC).year) not in (await since.inner_text())

    if datetime.now(ZoneInfo("Europe/Berlin")).hour not in (0, 23):  # around midnight the moment may be yesterday's
        await until(is_time_only)


async def test_axes_stay_on_round_hours_when_the_clocks_change(world: World, context: BrowserContext) -> None:
    ada = await world.person(await world.organization())
    await enter(context, ada)
    page = await open_live(context, "/monitoring")

    async def ticks(start: str, end: str, most: int) -> list[str]:
        span = [datetime.fromisoformat(each).timestamp() * 1000 for each in (start, end)]
        return list(await page.evaluate(TICKS, [*span, most]))

    autumn = await ticks("2026-10-25T00:00+02:00", "2026-10-26T00:00+01:00", 5)
    assert autumn == ["00:00", "06:00", "12:00", "18:00", "00:00"]
    spring = await ticks("2026-03-28T12:00+01:00", "2026-03-29T12:00+02:00", 5)
    assert spring == ["12:00", "18:00", "00:00", "06:00", "12:00"]
    assert await ticks("2026-10-20T12:00+02:00", "2026-10-28T12:00+01:00", 5) == [
        "22 Oct",
        "24 Oct",
        "26 Oct",
        "28 Oct",
    ]
    assert await ticks("2026-10-25T01:58:30+02:00", "2026-10-25T02:01:00+02:00", 3) == ["01:59", "02:00", "02:01"]
    assert await ticks("2026-10-25T00:00:00.500+02:00", "2026-10-25T00:00:02.500+02:00", 3) == ["00:00:01", "00:00:02"]
