"""Messages over outages: shown at once, kept in the browser, sent once each and in order."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, expect

from tests.app_process import AppProcess, project_settings, running
from tests.browser import new_context
from tests.e2e.conftest import sign_in
from tests.e2e.test_chat import say
from tests.proxies import TcpProxy
from tests.services.chat.test_messages import burst
from tests.world import Person, World

pytestmark = pytest.mark.e2e
BODIES = [f"message {number}" for number in range(6)]


@pytest.fixture
async def cable(app: AppProcess) -> AsyncIterator[TcpProxy]:
    async with TcpProxy(app.url) as proxy:
        yield proxy


async def open_chat(browser: Browser, url: str, person: Person) -> Page:
    page = await (await new_context(browser, base_url=url)).new_page()
    await sign_in(page, person, "/chat")
    await page.wait_for_selector('body[data-live="connected"]')
    return page


async def arrived(page: Page, bodies: list[str]) -> None:
    """Wait until a window shows exactly these messages, in this order, and none is pending."""
    await expect(page.locator(".lw-chat__message:not([data-testid=pending]) .lw-chat__body")).to_have_text(bodies)
    await expect(page.get_by_test_id("pending")).to_have_count(0)


@pytest.mark.parametrize("fault", ["cut", "freeze"])
async def test_messages_written_without_a_server_arrive_once_and_in_order(
    world: World, browser: Browser, app: AppProcess, cable: TcpProxy, fault: str
) -> None:
    org = await world.organization("Ours")
    ada, ben = await world.person(org), await world.person(org)
    mine, other = await open_chat(browser, cable.url, ada), await open_chat(browser, app.url, ben)
    await say(mine, BODIES[0])
    await arrived(other, BODIES[:1])
    if fault == "cut":
        await cable.cut()
    else:
        cable.freeze()
    await say(mine, BODIES[1])
    await mine.wait_for_selector('body:not([data-live="connected"])')
    for body in BODIES[2:]:
        await say(mine, body)
    await expect(mine.get_by_test_id("pending")).to_have_count(5)
    # Longer than the browser waits for an answer, several times.
    await mine.wait_for_timeout(20_000 if fault == "cut" else 12_000)
    await expect(mine.get_by_test_id("pending").first).to_contain_text("Sending…")
    if fault == "freeze":
        await cable.cut()
    await cable.restore()
    for page in (mine, other):
        await arrived(page, BODIES)
    rows = await world.sql("select body from messages where org_id = %s order by number", org)
    assert [body for (body,) in rows] == BODIES
    await mine.context.close()
    await other.context.close()


async def test_what_was_not_sent_survives_a_reload_and_a_closed_tab(
    world: World, browser: Browser, app: AppProcess, cable: TcpProxy
) -> None:
    org = await world.organization("Ours")
    ada = await world.person(org)
    page = await open_chat(browser, cable.url, ada)
    await page.get_by_role("textbox", name="Message:").fill("half a thou")
    await page.reload()
    await page.wait_for_selector('body[data-live="connected"]')
    field = page.get_by_role("textbox", name="Message:")
    await expect(field).to_have_value("half a thou")
    await cable.cut()
    await page.wait_for_selector('body:not([data-live="connected"])')
    await say(page, BODIES[0])
    await say(page, BODIES[1])
    await expect(page.get_by_test_id("pending")).to_have_count(2)
    context = page.context
    await page.close()
    await cable.restore()
    again = await context.new_page()
    await again.goto("/chat")
    await arrived(again, BODIES[:2])
    await context.close()


async def test_messages_wait_for_a_database_that_is_away(world: World, browser: Browser, app: AppProcess) -> None:
    org = await world.organization("Ours")
    ada = await world.person(org)
    page = await open_chat(browser, app.url, ada)
    await world.sql("alter function public.post_message(uuid, uuid, text, uuid, text, uuid, uuid[]) rename to away")
    try:
        await say(page, BODIES[0])
        await expect(page.get_by_test_id("pending")).to_contain_text("Not sent yet")
        await say(page, BODIES[1])
    finally:
        await world.sql("alter function public.away(uuid, uuid, text, uuid, text, uuid, uuid[]) rename to post_message")
    await arrived(page, BODIES[:2])
    await page.context.close()


async def test_a_message_that_was_lost_on_the_way_shows_with_the_next(
    world: World, browser: Browser, app: AppProcess
) -> None:
    org = await world.organization("Ours")
    ada = await world.person(org)
    page = await open_chat(browser, app.url, ada)
    await say(page, "one")
    await arrived(page, ["one"])
    await world.sql("alter table messages disable trigger broadcast_row")
    try:
        await world.sql(
            "insert into messages (id, org_id, thread_id, number, author_id, author_name, body)"
            " select gen_random_uuid(), org_id, id, 2, %s, 'Ada', 'lost' from threads where org_id = %s",
            ada.id,
            org,
        )
        await world.sql("update threads set last_number = 2 where org_id = %s", org)
    finally:
        await world.sql("alter table messages enable trigger broadcast_row")
    await say(page, "two")
    await arrived(page, ["one", "lost", "two"])
    await page.context.close()


async def test_people_of_two_processes_talk_and_one_who_is_too_fast_is_slowed_down(
    world: World, browser: Browser, app: AppProcess, tmp_path_factory: pytest.TempPathFactory
) -> None:
    org = await world.organization("Ours")
    ada, ben = await world.person(org), await world.person(org)
    async with running(project_settings(world.status, tmp_path_factory.mktemp("second"))) as second:
        mine, other = await open_chat(browser, app.url, ada), await open_chat(browser, second.url, ben)
        await say(mine, "first")
        await arrived(other, ["first"])
        await burst(world, org, ada, lasts=15)
        await say(mine, "last")
        await expect(mine.get_by_text("You write faster than others can read.")).to_be_visible()
        many = ["first", *(f"m{number}" for number in range(1, 16))]
        await say(other, "slow down")
        await arrived(mine, [*many, "slow down", "last"])
        await arrived(other, [*many, "slow down", "last"])
        for page in (mine, other):
            await page.context.close()
