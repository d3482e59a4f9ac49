"""A window waits for its server as long as it takes, and never reloads into an error page."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, Route, async_playwright, expect

from tests.app_process import AppProcess
from tests.browser import FLAGS, find, new_context
from tests.e2e.conftest import sign_in
from tests.proxies import TcpProxy
from tests.speed import milliseconds
from tests.world import Person, World, until

pytestmark = pytest.mark.e2e
# Socket.IO waits 20 s for a connection, and NiceGUI's client reloads after the second time.
TIMEOUTS_OF_2_S = """
    const wait = window.setTimeout;
    window.setTimeout = (work, ms, ...args) => wait(work, ms === 20000 ? 2000 : ms, ...args);
"""
WATCH = """() => {
    window.neverReloaded = true;
    window.refusals = [];
    window.socket.on("connect_error", (error) => window.refusals.push(error.message));
}"""
CHIP = '[data-table="connection"][data-id="feed"][data-field="status"]'


@pytest.fixture
async def cable(app: AppProcess) -> AsyncIterator[TcpProxy]:
    async with TcpProxy(app.url) as proxy:
        yield proxy


@pytest.fixture
async def person(world: World) -> Person:
    return await world.person(await world.organization())


async def open_page(browser: Browser, url: str, person: Person) -> Page:
    context = await new_context(browser, base_url=url, viewport={"width": 1440, "height": 900})
    await context.add_init_script(TIMEOUTS_OF_2_S)
    page = await context.new_page()
    await sign_in(page, person, "/monitoring")
    await page.wait_for_selector('body[data-live="connected"]')
    await page.evaluate(WATCH)
    return page


async def replace_streams(world: World, person: Person, name: str) -> None:
    """Leave one stream of the name in the person's organisation."""
    ((org,),) = await world.sql("select org_id from org_members where user_id = %s", person.id)
    await world.sql("delete from streams where org_id = %s", org)
    await world.sql("insert into streams (org_id, name) values (%s, %s)", org, name)


async def test_a_silent_network_that_then_refuses_leaves_no_error_page(
    world: World, browser: Browser, cable: TcpProxy, person: Person
) -> None:
    page = await open_page(browser, cable.url, person)
    await replace_streams(world, person, "Before")
    await expect(page.get_by_text("Before")).to_be_visible()
    cable.freeze()
    await page.wait_for_function(
        "() => window.refusals.filter((message) => message === 'timeout').length >= 2", timeout=milliseconds(60)
    )
    await cable.cut()
    await page.wait_for_function("() => window.refusals.at(-1) !== 'timeout'")
    await expect(page.locator(CHIP)).to_have_attribute("data-value", "disconnected")
    await expect(page.get_by_text("Before")).to_be_visible()
    await replace_streams(world, person, "While away")
    await cable.restore()
    await expect(page.get_by_text("While away")).to_be_visible(timeout=milliseconds(20))
    await expect(page.get_by_text("Before")).to_have_count(0)
    await expect(page.locator(CHIP)).to_have_attribute("data-value", "connected")
    assert await page.evaluate("() => window.neverReloaded")
    await page.context.close()


async def test_a_window_that_the_server_does_not_take_back_reloads_only_once_the_server_answers(
    browser: Browser, cable: TcpProxy, person: Person
) -> None:
    page = await open_page(browser, cable.url, person)
    probes = 0

    async def fail(route: Route) -> None:
        nonlocal probes
        probes += 1
        if probes == 1:
            await route.abort()
        else:  # a portal that answers in the server's place
            await route.fulfill(status=200, content_type="text/html", body="<h1>Welcome to our network</h1>")

    await page.route("**/healthz", fail)
    cookies = await page.context.cookies()
    await page.context.clear_cookies()
    cable.reset()
    await page.wait_for_function("() => window.refusals.some((message) => message.includes('another session'))")
    await until(lambda: probes > 3, within=20, what="the window probes")
    assert await page.evaluate("() => window.neverReloaded")
    assert "/monitoring" in page.url
    await page.context.add_cookies(cookies)  # type: ignore[arg-type]
    await page.unroute("**/healthz")
    await page.wait_for_function("() => !window.neverReloaded")
    await page.wait_for_selector('body[data-live="connected"]')
    await page.context.close()


@pytest.mark.parametrize(
    "awaken",
    [
        "document.dispatchEvent(new Event('resume'))",
        "dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))",
    ],
)
async def test_a_page_that_slept_claims_nothing_until_its_server_answers(
    world: World, browser: Browser, cable: TcpProxy, person: Person, awaken: str
) -> None:
    """A headless browser freezes no page, so that the page gets the event alone."""
    page = await open_page(browser, cable.url, person)
    cable.freeze()
    await replace_streams(world, person, "While asleep")
    # Without a word from the server, a window notices after 4 to 8 s.
    claimed_for = await page.evaluate(
        f"""() => new Promise((done) => {{
            const since = performance.now();
            const look = () => document.body.dataset.live === "disconnected" && done(performance.now() - since);
            new MutationObserver(look).observe(document.body, {{ attributes: true }});
            {awaken};
        }})"""
    )
    assert claimed_for < 2000
    await expect(page.locator(CHIP)).to_have_attribute("data-value", "disconnected")
    await cable.cut()
    await cable.restore()
    await expect(page.get_by_text("While asleep")).to_be_visible()
    await expect(page.locator(CHIP)).to_have_attribute("data-value", "connected")
    assert await page.evaluate("() => window.neverReloaded")
    await page.context.close()


async def test_back_from_another_page_shows_what_is_true_now(world: World, app: AppProcess, person: Person) -> None:
    """With the back/forward cache, which Playwright switches off; whether it keeps the page is the browser's choice."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find(), args=FLAGS, ignore_default_args=["--disable-back-forward-cache"]
        )
        page = await open_page(browser, app.url, person)
        await replace_streams(world, person, "Before")
        await expect(page.get_by_text("Before")).to_be_visible()
        await page.goto(f"{app.url}/healthz")
        await replace_streams(world, person, "While away")
        await page.go_back()
        await expect(page.get_by_text("While away")).to_be_visible()
        await expect(page.get_by_text("Before")).to_have_count(0)
        await page.wait_for_selector('body[data-live="connected"]')
        await browser.close()
