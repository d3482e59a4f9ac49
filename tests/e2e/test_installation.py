"""The installed app in Chromium: manifest, worker, offline start, web push, and the person's devices."""

import json
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from playwright.async_api import Browser, BrowserContext, CDPSession, Page, expect

from tests.app_process import AppProcess
from tests.browser import new_context
from tests.e2e.conftest import enter
from tests.e2e.phones import push, push_until_shown, shows, worker_of
from tests.push_service import Phone
from tests.world import Person, World, until

pytestmark = pytest.mark.e2e
SIZE = {"width": 390, "height": 844}
CACHED = """async () => {
    const all = (await caches.keys()).map(async (name) => (await caches.open(name)).keys());
    return (await Promise.all(all)).flat().map((each) => new URL(each.url).pathname).sort();
}"""
SUBSCRIBE = """({ endpoint, p256dh, auth }) => {
    let known = null;
    PushManager.prototype.getSubscription = async () => known;
    PushManager.prototype.subscribe = async (options) => (known = {
        endpoint,
        options,
        toJSON: () => ({ endpoint, keys: { p256dh, auth } }),
        unsubscribe: async () => (known = null, true),
    });
}"""


@pytest.fixture
async def phone(app: AppProcess, browser: Browser) -> AsyncIterator[BrowserContext]:
    """Yield a phone's browser, whose pages may register their worker and show notifications."""
    context = await new_context(browser, base_url=app.url, viewport=SIZE, service_workers="allow", has_touch=True)
    await context.grant_permissions(["notifications"])
    yield context
    await context.close()


async def opened(context: BrowserContext, person: Person, path: str = "/monitoring") -> Page:
    """Sign in and open a page that the worker controls."""
    await enter(context, person)
    page = await context.new_page()
    # The page takes away what has been read, once it has asked what has not.
    async with page.expect_response("**/push/unread"):
        await page.goto(path)
    await page.wait_for_selector('body[data-live="connected"]')
    await page.evaluate("() => navigator.serviceWorker.ready")
    await page.wait_for_function("() => navigator.serviceWorker.controller")
    return page


async def test_the_app_can_be_installed(world: World, phone: BrowserContext) -> None:
    page = await opened(phone, await world.person(await world.organization()))
    session: CDPSession = await phone.new_cdp_session(page)
    manifest = await session.send("Page.getAppManifest")
    assert manifest["errors"] == []
    errors = (await session.send("Page.getInstallabilityErrors"))["installabilityErrors"]
    assert [each["errorId"] for each in errors if each["errorId"] != "in-incognito"] == []
    content = json.loads(manifest["data"])
    for icon in content["icons"]:
        answer = await phone.request.get(icon["src"])
        assert answer.headers["content-type"] == "image/png"
        size = await page.evaluate(
            "async (src) => Object.assign(new Image(), { src }).decode().then(() => 1)", icon["src"]
        )
        assert size == 1
    for shortcut in content["shortcuts"]:
        assert (await phone.request.get(shortcut["url"])).ok


async def test_without_a_network_the_app_starts_and_shows_nothing_of_anybody(
    world: World, phone: BrowserContext
) -> None:
    org = await world.organization("Secret organisation")
    page = await opened(phone, await world.person(org))
    await page.goto("/alerts")
    await until(lambda: page.evaluate(CACHED), what="kept")
    assert await page.evaluate(CACHED) == ["/pwa/offline", "/pwa/reached"]
    await phone.set_offline(True)
    await page.goto("/alerts")
    await expect(page.get_by_role("heading")).to_contain_text("Offline, as of ")
    assert "Secret" not in await page.content()
    await phone.set_offline(False)
    await expect(page.get_by_role("heading", name="Alerts")).to_be_visible()


async def test_a_push_is_shown_replaced_and_taken_away_by_its_group(world: World, phone: BrowserContext) -> None:
    org = await world.organization()
    ada = await world.person(org)
    page = await opened(phone, ada)
    # The window would take away what has no row.
    await page.route("**/push/unread", lambda route: route.abort())
    group = {"org": str(org), "tag": "alerts:x", "url": "/alerts", "badge": 1, "rank": 3, "can_acknowledge": True}
    await push(page, title="Disk <b>full</b>", body="שלום", **group)
    (shown,) = await shows(page, "Disk <b>full</b>")
    assert shown["body"] == "שלום"
    assert [each["title"] for each in shown["actions"]] == ["Acknowledge", "Open"]
    await push(page, title="2 new alerts", body="", **group)
    await shows(page, "2 new alerts")
    await push(page, title="Done", **{**group, "tag": "notifications:", "can_acknowledge": False})
    await shows(page, "2 new alerts", "Done")
    await push(page, title="", is_silent=True, **group)
    await shows(page, "Done")
    await push(page, title="3 new alerts", is_silent=True, **group)
    await push(page, raw="no JSON")
    await shows(page, "Done", "There is something new in Livewatch")


async def test_a_click_marks_as_read_in_every_window_and_what_is_read_in_a_window_leaves_the_device(
    world: World, phone: BrowserContext
) -> None:
    org = await world.organization()
    ada = await world.person(org)
    ids = [uuid4(), uuid4()]
    insert = "insert into notifications (id, org_id, user_id, title, action_url) values (%s, %s, %s, %s, %s)"
    await world.sql(insert, ids[0], org, ada.id, "First", None)
    await world.sql(insert, ids[1], org, ada.id, "Second", "/jobs")
    page = await opened(phone, ada)
    await expect(page).to_have_title("(2) Live Monitoring · Livewatch")
    ((second,),) = await world.sql("select private.notification_tag('/jobs')")
    await push_until_shown(page, title="First", org=str(org), tag="notifications:", badge=2)
    await push_until_shown(page, title="Second", org=str(org), tag=second, badge=2)
    await shows(page, "First", "Second")
    click = "(data) => clicked({ notification: { close() {}, data }, action: 'read' })"
    await worker_of(phone).evaluate(click, {"org": str(org), "tag": "notifications:"})
    await expect(page).to_have_title("(1) Live Monitoring · Livewatch")
    await shows(page, "Second")
    await world.sql("update notifications set read_at = now() where id = %s", ids[1])
    await shows(page)


@pytest.mark.parametrize(
    "given", ["javascript:alert(1)", "//evil.example", "/\\evil.example", "data:text/html,x", None]
)
async def test_a_click_leads_nowhere_but_into_the_app_or_to_a_web_page(
    world: World, phone: BrowserContext, given: str | None
) -> None:
    await opened(phone, await world.person(await world.organization()))
    root = await worker_of(phone).evaluate("root + '/'")
    assert await worker_of(phone).evaluate("addressOf", given) == root
    assert await worker_of(phone).evaluate("addressOf('/streams/1')") == f"{root}streams/1"


async def test_a_device_is_turned_on_renewed_tested_and_removed_in_the_settings(
    world: World, phone: BrowserContext
) -> None:
    ada, ours, renewed = await world.person(await world.organization()), Phone(), Phone()
    subscription = {"endpoint": ours.endpoint, "p256dh": ours.p256dh, "auth": ours.auth}
    await phone.add_init_script(f"({SUBSCRIBE})({json.dumps(subscription)})")
    page = await opened(phone, ada, "/settings")
    await page.get_by_role("button", name="Turn on here").click()
    device = page.locator("[data-testid^='device-']")
    await expect(device).to_contain_text("This session")
    await expect(page.get_by_test_id("this-device")).to_have_attribute("data-state", "on")
    await device.get_by_role("button", name="Test").click()
    await expect(page.get_by_text("push.example.com cannot be reached.").first).to_be_visible()
    await page.get_by_label("Quiet hours", exact=True).fill("22-7")
    await page.get_by_label("Quiet hours", exact=True).press("Enter")
    await expect(page.get_by_text("“22-7” are not written like 22:00-07:00").first).to_be_visible()
    await page.get_by_label("Quiet hours", exact=True).fill("22:00-7:00")
    await page.get_by_label("Quiet hours", exact=True).press("Enter")
    await expect(page.get_by_label("Quiet hours", exact=True)).to_have_value("22:00-07:00")
    values = {
        "old": ours.endpoint,
        "endpoint": renewed.endpoint,
        "keys": {"p256dh": renewed.p256dh, "auth": renewed.auth},
    }
    renew = """({ old, endpoint, keys }) => renew({ oldSubscription: { endpoint: old },
        newSubscription: { toJSON: () => ({ endpoint, keys }) } })"""
    await worker_of(phone).evaluate(renew, values)
    known = "select endpoint from push_devices where user_id = %s"
    assert await world.sql(known, ada.id) == [(renewed.endpoint,)]
    await page.reload()
    await device.get_by_role("button", name="Remove").click()
    await expect(page.get_by_text("No device is told yet.")).to_be_visible()
    await page.get_by_role("button", name="Remove offline page").click()
    await expect(page.get_by_test_id("this-device")).to_have_attribute("data-state", "removed")
    assert await page.evaluate("async () => (await navigator.serviceWorker.getRegistrations()).length") == 0
    assert await page.evaluate("async () => (await caches.keys()).length") == 0
    await page.reload()
    await expect(page.get_by_test_id("this-device")).to_have_attribute("data-state", "removed")
    assert await page.evaluate("async () => (await navigator.serviceWorker.getRegistrations()).length") == 0


async def test_what_another_app_shares_becomes_the_draft_of_a_message_once(world: World, phone: BrowserContext) -> None:
    path = "/chat?share_title=Look&share_text=%3Cb%3Ehere%3C%2Fb%3E&share_url=https%3A%2F%2Fexample.org%2F"
    page = await opened(phone, await world.person(await world.organization()), path)
    field = page.get_by_label("Message: Everybody")
    await expect(field).to_have_value("Look\n<b>here</b>\nhttps://example.org/")
    await page.reload()
    await expect(field).to_have_value("Look\n<b>here</b>\nhttps://example.org/")
    assert "share_" not in page.url
