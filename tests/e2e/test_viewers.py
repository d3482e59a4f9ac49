"""Who is online and who looks at what, in the windows of several people and of two processes."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from playwright.async_api import Browser, Locator, Page, expect

from services.entities import Stream
from tests.app_process import AppProcess, project_settings, running
from tests.browser import new_context
from tests.e2e.conftest import SignedIn, sign_in
from tests.speed import milliseconds
from tests.world import Person, World

pytestmark = pytest.mark.e2e
GONE = milliseconds(10)
HIDE = """(hidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event("visibilitychange"));
}"""
WATCH_ONLINE = """() => {
    window.labels = [];
    const note = () => window.labels.push(document.querySelector("[data-testid=online]")?.ariaLabel ?? "");
    new MutationObserver(note).observe(document.querySelector(".lw-online"), {
        attributes: true, childList: true, subtree: true,
    });
}"""
"""Page function: collects whom the header shows, change by change."""
Named = Callable[..., Awaitable[Person]]


@pytest.fixture
async def org(world: World) -> UUID:
    return await world.organization("Analytical Engines")


@pytest.fixture
def named(world: World, org: UUID) -> Named:
    async def person(name: str) -> Person:
        person = await world.person(org)
        await world.sql("update profiles set display_name = %s where user_id = %s", name, person.id)
        return person

    return person


def online(page: Page) -> Locator:
    """The button in the header, whose label says who is online."""
    return page.get_by_test_id("online")


def entry(page: Page, person: Person) -> Locator:
    """A person in the menu."""
    return page.get_by_test_id(f"online-{person.id}")


async def test_people_see_each_other_once_in_the_header_and_nobody_of_another_organisation(
    world: World, window: SignedIn, named: Named, app: AppProcess
) -> None:
    ana, bo = await named("Ana Ant"), await named("Bo <b>Bee</b>")
    eve = await world.person(await world.organization())
    page, stranger = await window(ana), await window(eve)
    await expect(online(page)).to_have_count(0)
    for _ in range(3):
        await window(bo, "/alerts")
    await expect(online(page)).to_have_attribute("aria-label", "1 other person online: Bo <b>Bee</b>")
    await expect(page.locator(".lw-online__faces .lw-face")).to_have_text(["B<"])
    await online(page).click()
    await expect(page.locator(".lw-online__list li")).to_have_count(2)
    await expect(entry(page, ana)).to_contain_text("You")
    await expect(entry(page, bo).locator("a")).to_have_text(["Alerts"])
    await entry(page, bo).locator("a").click()
    await page.wait_for_url("**/alerts")
    await expect(page.locator(".lw-online__menu")).to_have_count(0)
    await expect(online(stranger)).to_have_count(0)
    assert str(bo.id) not in await stranger.content()


async def test_pages_without_a_browser_count_as_nobody(
    world: World, window: SignedIn, named: Named, app: AppProcess, org: UUID
) -> None:
    ana, bo = await named("Ana"), await named("Bo")
    page = await window(ana)
    async with httpx.AsyncClient(base_url=app.url) as program:
        await program.post("/session", data={"email": bo.email, "password": bo.password})
        assert (await program.get("/monitoring")).status_code == 200
    marker = await named("Marker")
    await window(marker)
    await expect(online(page)).to_have_attribute("aria-label", "1 other person online: Marker")
    rows = await world.sql("select people from viewers where org_id = %s", org)
    assert {each["user_id"] for (people,) in rows for each in people} == {str(ana.id), str(marker.id)}


async def test_a_reload_shows_nothing_to_others_and_leaving_shows_within_ten_seconds(
    window: SignedIn, named: Named
) -> None:
    ana, bo = await named("Ana"), await named("Bo")
    page, other = await window(ana), await window(bo)
    await expect(online(page)).to_have_attribute("aria-label", "1 other person online: Bo")
    await page.evaluate(WATCH_ONLINE)
    for _ in range(3):
        await other.reload()
        await other.wait_for_selector('body[data-live="connected"]')
    await other.goto("about:blank")
    await expect(online(page)).to_have_count(0, timeout=GONE)
    labels = await page.evaluate("window.labels")
    assert set(labels[:-1]) <= {"1 other person online: Bo"}
    assert labels[-1] == ""


async def test_hidden_windows_and_those_without_input_for_five_minutes_are_idle(
    window: SignedIn, named: Named, browser: Browser, app: AppProcess
) -> None:
    ana, bo = await named("Ana"), await named("Bo")
    page = await window(ana)
    context = await new_context(browser, base_url=app.url)
    other = await context.new_page()
    await other.clock.install()
    await sign_in(other, bo, "/monitoring")
    await expect(online(page)).to_have_attribute("aria-label", "1 other person online: Bo")
    await other.evaluate(HIDE, True)
    await expect(online(page)).to_have_attribute("aria-label", "1 other person online: Bo (idle)")
    await expect(page.locator(".lw-online__faces .lw-face--idle")).to_have_count(1)
    await other.evaluate(HIDE, False)
    await expect(online(page)).to_have_attribute("aria-label", "1 other person online: Bo")
    await other.clock.fast_forward("04:30")
    await other.mouse.move(30, 30)
    await other.clock.fast_forward("04:50")
    await expect(online(page)).to_have_attribute("aria-label", "1 other person online: Bo")
    await other.clock.fast_forward("00:20")
    await expect(online(page)).to_have_attribute("aria-label", "1 other person online: Bo (idle)")
    second = await window(bo, "/alerts")
    await expect(online(page)).to_have_attribute("aria-label", "1 other person online: Bo")
    await second.evaluate(HIDE, True)
    await expect(online(page)).to_have_attribute("aria-label", "1 other person online: Bo (idle)")
    await second.evaluate(HIDE, False)
    await context.close()


async def test_an_invisible_person_is_seen_by_nobody_and_sees_the_others(window: SignedIn, named: Named) -> None:
    ana, bo = await named("Ana"), await named("Bo")
    page, other, second = await window(ana), await window(bo, "/settings"), await window(bo)
    await expect(online(page)).to_have_count(1)
    await other.bring_to_front()
    switch = other.get_by_label("Show me as online")
    await switch.click()
    await expect(online(page)).to_have_count(0)
    await expect(online(other)).to_have_attribute("aria-label", "1 other person online: Ana")
    await online(second).click()
    await expect(second.locator(".lw-online__note")).to_contain_text("You are not shown to others.")
    await second.reload()
    await second.wait_for_selector('body[data-live="connected"]')
    await switch.click()
    await expect(online(page)).to_have_attribute("aria-label", "1 other person online: Bo")


async def test_who_looks_at_a_stream_shows_on_its_card_and_on_its_page(
    world: World, window: SignedIn, named: Named, org: UUID
) -> None:
    ana, bo = await named("Ana"), await named("Bo")
    streams = [Stream(org_id=org, name=f"Stream {number}") for number in range(2)]
    for stream in streams:
        await world.insert(stream, by=ana)
    page, other = await window(ana), await window(bo, f"/streams/{streams[0].id}")

    def faces(stream: Stream) -> Locator:
        return page.locator(f'.lw-card[data-id="{stream.id}"] .lw-faces')

    await expect(faces(streams[0])).to_have_attribute("aria-label", "Looking at this: Bo")
    await expect(faces(streams[1])).to_have_count(0)
    await expect(other.get_by_test_id("looking")).to_have_count(0)

    second = await window(ana, f"/streams/{streams[0].id}")
    await expect(second.get_by_test_id("looking")).to_contain_text("Looking at this:")
    await expect(second.locator(".lw-looking__names")).to_have_text("Bo")
    await expect(other.locator(".lw-looking__names")).to_have_text("Ana")
    await online(second).click()
    await expect(entry(second, bo).locator("a")).to_have_text(["Stream 0"])

    await other.bring_to_front()
    await other.get_by_role("link", name="All streams").click()
    await other.locator(f'a[href="/streams/{streams[1].id}"]').click()
    await expect(faces(streams[1])).to_have_attribute("aria-label", "Looking at this: Bo")
    await expect(faces(streams[0])).to_have_count(0)
    await expect(second.get_by_test_id("looking")).to_have_count(0)
    await other.evaluate(HIDE, True)
    await expect(faces(streams[1])).to_have_attribute("aria-label", "Looking at this: Bo (idle)")
    await other.evaluate(HIDE, False)


async def test_the_menu_says_in_which_tab_somebody_is_and_leads_to_the_selected_row(
    world: World, window: SignedIn, named: Named, org: UUID
) -> None:
    ana, bo = await named("Ana"), await named("Bo")
    ((run,),) = await world.sql(
        "with stream as (insert into streams (org_id, name) values (%s, 'A stream') returning id, org_id) "
        "insert into agent_executions (org_id, stream_id, agent_id, agent_name) "
        "select org_id, id, 'a', 'An agent' from stream returning id",
        org,
    )
    page, other = await window(ana), await window(bo, "/monitoring/agents")
    await other.locator(f'[data-id="{run}"] a').first.click()
    await other.wait_for_url(f"**/monitoring/agents?selected={run}")
    await page.bring_to_front()
    await online(page).click()
    link = entry(page, bo).get_by_role("link", name="Agents")
    await expect(link).to_have_attribute("href", f"/monitoring/agents?selected={run}")
    await link.click()
    await page.wait_for_url(f"**/monitoring/agents?selected={run}")


async def test_a_removed_member_disappears_from_the_windows_of_the_others(
    world: World, window: SignedIn, named: Named
) -> None:
    ana, bo = await named("Ana"), await named("Bo")
    page = await window(ana)
    await window(bo)
    await expect(online(page)).to_have_count(1)
    await world.sql("delete from org_members where user_id = %s", bo.id)
    await expect(online(page)).to_have_count(0, timeout=milliseconds(5))


@pytest.fixture
async def second_app(world: World, tmp_path: Path) -> AsyncIterator[AppProcess]:
    async with running(project_settings(world.status, tmp_path / "second")) as process:
        yield process


@pytest.fixture
async def elsewhere(browser: Browser, second_app: AppProcess) -> AsyncIterator[Page]:
    """Yield a page on a second process of the app."""
    context = await new_context(browser, base_url=second_app.url)
    yield await context.new_page()
    await context.close()


async def test_windows_of_two_processes_see_each_other_until_one_process_stops(
    window: SignedIn, named: Named, elsewhere: Page, second_app: AppProcess
) -> None:
    ana, bo = await named("Ana"), await named("Bo")
    page = await window(ana)
    await window(bo)
    await sign_in(elsewhere, bo, "/alerts")
    await expect(online(elsewhere)).to_have_attribute("aria-label", "1 other person online: Ana")
    await online(page).click()
    await expect(entry(page, bo).locator("a")).to_have_text(["Alerts", "Streams"])
    await elsewhere.goto("/notifications")
    await expect(entry(page, bo).locator("a")).to_have_text(["Notifications", "Streams"])
    await second_app.stop()
    await expect(entry(page, bo).locator("a")).to_have_text(["Streams"])
