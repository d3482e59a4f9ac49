"""A window that loses its server, or whose server loses its data, reports that and recovers without a reload."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from playwright.async_api import Browser, Page, expect

from services.entities import SignalAlert, Stream
from tests.app_process import AppProcess, project_settings, running
from tests.browser import new_context
from tests.e2e.conftest import live, sign_in
from tests.proxies import TcpProxy
from tests.world import Person, World, until

pytestmark = pytest.mark.e2e


@pytest.fixture
async def cable(app: AppProcess) -> AsyncIterator[TcpProxy]:
    async with TcpProxy(app.url) as proxy:
        yield proxy


@pytest.fixture
async def person(world: World) -> Person:
    return await world.person(await world.organization())


async def open_page(browser: Browser, url: str, person: Person, path: str) -> Page:
    context = await new_context(browser, base_url=url, viewport={"width": 1440, "height": 900})
    page = await context.new_page()
    await sign_in(page, person, path)
    await page.wait_for_selector('body[data-live="connected"]')
    await page.evaluate("() => { window.neverReloaded = true; }")
    return page


async def org_of(world: World, person: Person) -> UUID:
    ((org,),) = await world.sql("select org_id from org_members where user_id = %s", person.id)
    return UUID(str(org))


@pytest.mark.parametrize("fault", ["cut", "freeze"])
async def test_a_pulled_cable_shows_and_the_window_catches_up_without_a_reload(
    world: World, browser: Browser, cable: TcpProxy, person: Person, fault: str
) -> None:
    page = await open_page(browser, cable.url, person, "/monitoring")
    org = await org_of(world, person)
    await world.sql("insert into streams (org_id, name) values (%s, 'Before')", org)
    await expect(page.get_by_text("Before")).to_be_visible()
    if fault == "cut":
        await cable.cut()
    else:
        cable.freeze()
    chip = page.locator('[data-table="connection"][data-id="feed"][data-field="status"]')
    await expect(chip).to_have_attribute("data-value", "disconnected")
    await expect(page.get_by_text("as of").first).to_be_visible()
    await expect(page.get_by_text("Before")).to_be_visible()
    await world.sql("delete from streams where org_id = %s", org)
    await world.sql("insert into streams (org_id, name) values (%s, 'While away')", org)
    if fault == "freeze":
        await cable.cut()
    await cable.restore()
    await expect(page.get_by_text("While away")).to_be_visible()
    await expect(page.get_by_text("Before")).to_have_count(0)
    await expect(chip).to_have_attribute("data-value", "connected")
    assert await page.evaluate("() => window.neverReloaded")
    await page.context.close()


async def test_a_window_tries_again_within_half_a_second(browser: Browser, cable: TcpProxy, person: Person) -> None:
    page = await open_page(browser, cable.url, person, "/monitoring")
    latest = "() => window.socket.io.reconnectionDelay() * (1 + window.socket.io.randomizationFactor())"
    assert await page.evaluate(latest) < 500
    cable.reset()
    await page.wait_for_selector('body[data-live="disconnected"]')
    await page.wait_for_selector('body[data-live="connected"]')
    assert await page.evaluate("() => window.neverReloaded")
    await page.context.close()


async def test_a_mark_made_while_offline_waits_and_is_sent_on_return(
    world: World, browser: Browser, cable: TcpProxy, person: Person
) -> None:
    org = await org_of(world, person)
    alert = SignalAlert(org_id=org, user_id=person.id, target_name="Target", signal_type="late", signal_strength=80)
    await world.insert(alert, by=person)
    page = await open_page(browser, cable.url, person, "/alerts")
    await cable.cut()
    await expect(page.get_by_text("as of").first).to_be_visible()
    button = page.locator(".lw-line", has_text="Target").get_by_role("button")
    await button.click()
    await expect(button).to_be_disabled()
    await cable.restore()

    async def is_read() -> bool:
        return bool(await world.sql("select 1 from signal_alerts where id = %s and read_at is not null", alert.id))

    await until(is_read, within=20, what="the mark arrives")
    await expect(live(page, "inbox", "alerts", "unread")).to_have_attribute("data-value", "0")
    await page.context.close()


async def test_a_new_server_process_rebuilds_the_window_with_what_it_waited_for(
    world: World, browser: Browser, person: Person, app: AppProcess, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The app is replaced, as in a deployment: the cookie stays valid, and a mark made in the meantime arrives."""
    org = await org_of(world, person)
    alert = SignalAlert(org_id=org, user_id=person.id, target_name="Target", signal_type="late", signal_strength=80)
    await world.insert(alert, by=person)
    environment = project_settings(world.status, tmp_path_factory.mktemp("replaced"))
    async with running(environment) as first:
        port = first.url.rsplit(":", 1)[1]
        page = await open_page(browser, first.url, person, "/alerts")
    await expect(page.get_by_text("as of").first).to_be_visible()
    await page.locator(".lw-chip").first.focus()
    await expect(page.get_by_text("Livewatch is being restarted. This window comes back by itself.")).to_be_visible()
    await page.locator(".lw-line", has_text="Target").get_by_role("button").click()
    async with running({**environment, "LIVEWATCH_PORT": port}):
        await page.wait_for_selector('body[data-live="connected"]')
        await expect(live(page, "inbox", "alerts", "unread")).to_have_attribute("data-value", "0")
    await page.context.close()


async def test_two_apps_share_one_supabase_and_show_the_same(
    world: World, browser: Browser, person: Person, app: AppProcess, tmp_path_factory: pytest.TempPathFactory
) -> None:
    environment = project_settings(world.status, tmp_path_factory.mktemp("second"))
    async with running(environment) as second:
        pages = [await open_page(browser, url, person, "/monitoring") for url in (app.url, second.url)]
        stream = Stream(org_id=await org_of(world, person), name="Seen by both")
        await world.insert(stream, by=person)
        for page in pages:
            await expect(live(page, "streams", stream.id, "name")).to_have_text("Seen by both")
            await page.context.close()
