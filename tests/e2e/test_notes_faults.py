"""Notes over outages, lost messages and bad input: nothing that was typed is lost."""

import asyncio

import pytest
from playwright.async_api import Browser, WebSocketRoute, expect

from services.notes.documents import read_document
from tests.app_process import AppProcess
from tests.browser import new_context
from tests.e2e.conftest import SignedIn, sign_in
from tests.e2e.notes import editor, notes, open_notes, saved, shows, text, type_at_end
from tests.e2e.test_chat import named
from tests.e2e.test_editing import stream
from tests.proxies import TcpProxy
from tests.speed import milliseconds
from tests.world import World

pytestmark = pytest.mark.e2e
PUSH = """(raw) => {
    const { id } = document.querySelector('[data-testid="notes"]');
    const changes = JSON.parse(raw);
    getElement(+id.slice(1)).$emit("push", { client: crypto.randomUUID(), number: 1, version: 1, changes });
}"""


async def test_what_is_typed_without_a_server_meets_what_others_wrote_meanwhile(
    world: World, browser: Browser, app: AppProcess
) -> None:
    org = await world.organization("Ours")
    ada, ben = await named(world, org, "Ada"), await named(world, org, "Ben")
    id = await stream(world, org)
    async with TcpProxy(app.url) as cable:
        mine, other = await open_notes(browser, cable.url, ada, id), await open_notes(browser, app.url, ben, id)
        await type_at_end(mine, "start ")
        await shows(other, "start ")
        await cable.cut()
        await mine.wait_for_selector('body:not([data-live="connected"])')
        await type_at_end(mine, "offline")
        await expect(mine.get_by_test_id("notes-state")).to_contain_text("kept in this browser")
        await editor(other).click()
        await other.keyboard.press("Control+Home")
        await other.keyboard.type("A new ")
        await saved(other)
        await cable.restore()
        for page in (mine, other):
            await shows(page, "A new start offline")
        await saved(mine)
        await cable.cut()
        await mine.wait_for_selector('body:not([data-live="connected"])')
        await type_at_end(mine, " and closed")
        context = mine.context
        await mine.close()
        await type_at_end(other, "!")
        await cable.restore()
        again = await context.new_page()
        await again.goto(f"/streams/{id}")
        await expect(editor(again)).to_contain_text("and closed")
        await saved(again)
        whole = await text(again)
        await shows(other, whole)
        assert sorted(whole) == sorted("A new start offline! and closed")
        await context.close()
        await other.context.close()


@pytest.mark.lasting
async def test_a_minute_of_typing_with_an_outage_ends_byte_equal(
    world: World, browser: Browser, app: AppProcess
) -> None:
    """Ten characters a second in each of two windows, of which one is offline for twenty seconds in the middle."""
    org = await world.organization("Ours")
    ada, ben = await named(world, org, "Ada"), await named(world, org, "Ben")
    id = await stream(world, org)
    keys = 600
    alphabets = ("0123456789", "abcdefghij")
    typed = [(alphabet * keys)[:keys] for alphabet in alphabets]
    async with TcpProxy(app.url) as cable:
        pages = [await open_notes(browser, url, each, id) for url, each in ((cable.url, ada), (app.url, ben))]
        for page in pages:
            await editor(page).click()
        async with asyncio.TaskGroup() as group:
            for page, words in zip(pages, typed, strict=True):
                group.create_task(page.keyboard.type(words, delay=100))
            await asyncio.sleep(keys / 30)
            await cable.cut()
            await asyncio.sleep(keys / 30)
            await cable.restore()
        for page in pages:
            await expect(page.get_by_test_id("notes-state")).to_have_text("Saved", timeout=milliseconds(20))
        whole = await text(pages[0])
        await shows(pages[1], whole)
        assert whole == str((await read_document(world.database, ada.identity, id))[0])
        for alphabet, words in zip(alphabets, typed, strict=True):
            assert "".join(each for each in whole if each in alphabet) == words
        for page in pages:
            await page.context.close()


async def test_an_answer_that_is_lost_doubles_nothing(world: World, browser: Browser, app: AppProcess) -> None:
    org = await world.organization("Ours")
    ada = await named(world, org, "Ada")
    id = await stream(world, org)
    async with TcpProxy(app.url) as cable:
        page = await open_notes(browser, cable.url, ada, id)
        await type_at_end(page, "one")
        await saved(page)
        cable.freeze()
        await type_at_end(page, " two")
        await cable.cut()
        await page.wait_for_selector('body:not([data-live="connected"])')
        await cable.restore()
        await saved(page)
        await page.reload()
        await shows(page, "one two")
        await page.context.close()


async def test_notes_wait_for_a_database_that_is_away(world: World, window: SignedIn) -> None:
    org = await world.organization("Ours")
    ada = await named(world, org, "Ada")
    id = await stream(world, org)
    page = await window(ada, f"/streams/{id}")
    await type_at_end(page, "before ")
    await saved(page)
    await world.sql("alter function private.append_updates(uuid, bigint, jsonb) rename to away")
    try:
        await type_at_end(page, "meanwhile")
        await expect(page.get_by_test_id("notes-state")).to_contain_text("Not saved yet")
    finally:
        await world.sql("alter function private.away(uuid, bigint, jsonb) rename to append_updates")
    await saved(page)
    await page.reload()
    await shows(page, "before meanwhile")


async def test_what_a_closed_window_left_is_shown_to_one_who_may_only_read_by_now(
    world: World, browser: Browser, app: AppProcess
) -> None:
    org = await world.organization("Ours")
    ada = await named(world, org, "Ada")
    id = await stream(world, org)
    async with TcpProxy(app.url) as cable:
        page = await open_notes(browser, cable.url, ada, id)
        await cable.cut()
        await page.wait_for_selector('body:not([data-live="connected"])')
        await type_at_end(page, "half a thought")
        context = page.context
        await page.close()
        await world.sql("update org_members set role = 'viewer' where user_id = %s", ada.id)
        await cable.restore()
        page = await context.new_page()
        await page.goto(f"/streams/{id}")
        await expect(page.get_by_test_id("notes-lost")).to_contain_text("half a thought")
        await expect(page.get_by_test_id("notes-lost").get_by_role("button", name="Insert at the end")).to_have_count(0)
        await context.close()


async def test_a_question_for_the_text_that_is_lost_is_asked_again(
    world: World, browser: Browser, app: AppProcess
) -> None:
    org = await world.organization("Ours")
    ada, id = await named(world, org, "Ada"), await stream(world, org)
    page = await (await new_context(browser, base_url=app.url)).new_page()
    await sign_in(page, ada)
    lost: list[str] = []

    def lose_first(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def forward(message: str | bytes) -> None:
            if not lost and '"args":["-1"]' in str(message):
                lost.append(str(message))
            else:
                server.send(message)

        socket.on_message(forward)

    await page.route_web_socket("**/*", lose_first)
    await page.goto(f"/streams/{id}")
    await expect(editor(page)).to_be_visible()
    assert lost
    await page.context.close()


async def test_bad_input_is_not_taken_and_the_text_stays_whole(world: World, window: SignedIn) -> None:
    org = await world.organization("Ours")
    ada = await named(world, org, "Ada")
    id = await stream(world, org)
    page = await window(ada, f"/streams/{id}")
    await type_at_end(page, "a\U0001f680b")
    await saved(page)
    await editor(page).evaluate("""(host) => {
        const data = new DataTransfer();
        data.setData("text/plain", "\\u0000half \\ud83d\\r\\nend");
        host.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
    }""")
    await shows(page, "a\U0001f680bhalf \ufffd\nend")
    await editor(page).evaluate("""(host) => {
        const data = new DataTransfer();
        data.setData("text/plain", "x".repeat(50_000_000));
        host.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
    }""")
    await expect(notes(page)).to_contain_text("Notes have at most 200,000 characters.")
    await saved(page)
    for raw in ('[2, [0, "x"], 99]', '"garbage"', '[[0, "x"]]', "null", '[0, [1, "\\ud83d"]]'):
        await page.evaluate(PUSH, raw)
    await type_at_end(page, "!")
    await saved(page)
    await page.reload()
    await shows(page, "a\U0001f680bhalf \ufffd\nend!")


async def test_an_update_that_comes_before_the_answer_to_the_last_is_written(world: World, window: SignedIn) -> None:
    """A broadcast may confirm an update before the database has answered."""
    org = await world.organization("Ours")
    ada = await named(world, org, "Ada")
    id = await stream(world, org)
    page = await window(ada, f"/streams/{id}")
    await expect(editor(page)).to_be_visible()
    await page.evaluate("""() => {
        const { id } = document.querySelector('[data-testid="notes"]');
        const client = crypto.randomUUID();
        for (const [number, word] of ["one", "two"].entries())
            getElement(+id.slice(1)).$emit("push", { client, number: number + 1, version: 0, changes: [[0, word]] });
    }""")
    await shows(page, "onetwo")
