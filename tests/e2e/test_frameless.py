"""A running app in a browser that never paints shows every value."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from playwright.async_api import Browser, Page, expect

from services.entities import Notification, SignalAlert, Stream
from tests.app_process import AppProcess
from tests.browser import seen, without_frames
from tests.e2e.conftest import enter, live
from tests.world import Person, World, until

pytestmark = pytest.mark.e2e
OpenFrameless = Callable[[Person, str], Awaitable[Page]]


@pytest.fixture
async def frameless(app: AppProcess, browser: Browser) -> AsyncIterator[OpenFrameless]:
    context = await without_frames(browser, app.url)

    async def open_window(person: Person, path: str) -> Page:
        await enter(context, person)
        page = await context.new_page()
        await page.goto(path)
        await page.wait_for_selector('body[data-live="connected"]')
        return page

    yield open_window
    await context.close()


async def test_a_browser_that_never_paints_still_shows_every_value(world: World, frameless: OpenFrameless) -> None:
    org = await world.organization()
    ada = await world.person(org)
    page = await frameless(ada, "/monitoring")
    stream = Stream(org_id=org, name="Nightly import", total=200)
    await world.insert(stream, by=ada)
    await expect(live(page, "streams", stream.id, "name")).to_have_text("Nightly import")
    await world.sql("update streams set completed = 85, goal_status = 'on_track' where id = %s", stream.id)
    fields = {"name": "Nightly import", "completed": "85", "total": "200", "percentage": "42.5%"}
    await expect(live(page, "streams", stream.id, "completed")).to_have_text("85")
    shown = await seen(*(live(page, "streams", stream.id, field) for field in [*fields, "goal_status"]))
    assert shown == [*fields.values(), "On track"]
    await expect(live(page, "stats", "active_streams", "value")).to_have_text("1")
    assert await seen(live(page, "stats", "active_streams", "value")) == ["1"]
    chip = page.locator('[data-facet="status"][data-option="on_track"] .lw-filter__count')
    await expect(chip).to_have_text("1")
    assert await seen(chip, page.get_by_test_id("summary")) == ["1", "1 stream"]


async def test_what_arrives_is_told_in_toast_tab_badge_and_inbox(world: World, frameless: OpenFrameless) -> None:
    org = await world.organization()
    ada = await world.person(org)
    page = await frameless(ada, "/")
    alert = SignalAlert(org_id=org, user_id=ada.id, target_name="numpy", signal_type="late", signal_strength=80)
    await world.insert(alert, by=ada)
    toast, unread = page.get_by_test_id("toast"), live(page, "inbox", "alerts", "unread")
    await expect(toast).to_contain_text("numpy")
    await expect(unread).to_have_text("1")
    await expect(page).to_have_title("(1) Dashboard · Livewatch")
    assert len(await seen(toast, unread)) == 2
    await page.get_by_role("button", name="Inbox").click()
    line = page.get_by_test_id("inbox").locator('[data-field="target_name"]')
    await expect(line).to_have_text("numpy")

    async def is_seen() -> bool:
        return await seen(line) == ["numpy"]

    # A row counts as on screen, and has a text to be seen, from the browser's next look at the layout.
    await until(is_seen, what="the line is seen")


async def test_what_a_person_asks_for_opens(world: World, frameless: OpenFrameless) -> None:
    org = await world.organization()
    ada = await world.person(org)
    note = Notification(org_id=org, user_id=ada.id, title="Import finished", message="All good.")
    await world.insert(note, by=ada)
    await world.sql("insert into acquisition_scans (org_id, name, status) values (%s, 'Weekly scan', 'scanning')", org)
    page = await frameless(ada, "/monitoring/scans")
    await page.get_by_role("link", name="Weekly scan").click()
    title = page.locator(".lw-details__title")
    await expect(title).to_have_text("Weekly scan")
    assert await seen(title) == ["Weekly scan"]
    await page.goto("/settings")
    await page.get_by_role("button", name="Save", exact=True).click()
    saved = page.get_by_text("Saved.")
    await expect(saved).to_have_count(1)
    assert await seen(saved) == ["Saved."]


async def test_who_scrolls_finds_rows(world: World, frameless: OpenFrameless) -> None:
    org = await world.organization()
    ada = await world.person(org)
    await world.sql(
        "insert into streams (org_id, name, created_at) "
        "select %s, 'Load ' || n, now() - make_interval(secs => n) from generate_series(1, 1000) as n",
        org,
    )
    page = await frameless(ada, "/monitoring?sort=newest")
    await expect(page.get_by_test_id("summary")).to_have_attribute("data-total", "1000")
    await expect(page.get_by_text("Load 1", exact=True)).to_be_visible()
    await page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    await expect(page.get_by_text("Load 1000", exact=True)).to_be_in_viewport()
