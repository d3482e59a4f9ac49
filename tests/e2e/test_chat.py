"""People talk in the browser: messages, replies, reactions, mentions, and who takes care of a run."""

from uuid import UUID, uuid4

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Locator, Page, expect

from services.chat import messages
from services.chat.messages import NewMessage, Subject
from services.entities import Topical
from services.people import team
from services.people.models import Role
from tests.e2e.conftest import SignedIn
from tests.speed import deadline
from tests.world import Person, World

pytestmark = pytest.mark.e2e


async def say(page: Page, body: str) -> None:
    """Write a message and send it with Enter."""
    field = page.get_by_role("textbox", name="Message:")
    await field.fill(body)
    await field.press("Enter")


async def post(world: World, person: Person, org: UUID, body: str, subject: Subject | None = None) -> None:
    draft = NewMessage(id=uuid4(), body=body)
    everybody = Subject(table=Topical.ORGANIZATION, id=org)
    await messages.post(world.database, person.identity, org, subject or everybody, draft)


async def stream(world: World, org: UUID, name: str = "Nightly import") -> Subject:
    rows = await world.sql("insert into streams (org_id, name) values (%s, %s) returning id", org, name)
    return Subject(table=Topical.STREAM, id=rows[0][0])


async def named(world: World, org: UUID, name: str, role: Role = Role.OPERATOR) -> Person:
    person = await world.person(org, role=role)
    await world.sql("update profiles set display_name = %s where user_id = %s", name, person.id)
    return person


async def types_until_seen(page: Page, other: Page, told: str) -> None:
    """Type until another window says so; on a busy machine a signal may be over before it shows."""
    for attempt in range(20):
        await page.get_by_role("textbox", name="Message:").press_sequentially("a")
        try:
            await expect(other.get_by_test_id("typing")).to_have_text(told, timeout=deadline(2.5) * 1000)
        except AssertionError:
            if attempt == 19:
                raise
        else:
            return


async def act(page: Page, number: int, action: str) -> None:
    """Open the actions of a message and choose one."""
    message = page.get_by_test_id(f"message-{number}")
    await message.get_by_role("button", name="Actions for").click()
    await message.get_by_role("button", name=action).click()


def badge(page: Page) -> Locator:
    return page.locator('.lw-sidebar [data-table="inbox"][data-id="chat"]')


async def test_two_people_talk(world: World, window: SignedIn) -> None:
    org = await world.organization("Ours")
    ada, ben = await world.person(org, role=Role.ADMIN), await world.person(org)
    mine, other = await window(ada, "/chat"), await window(ben, "/chat")
    await expect(mine.get_by_text("No messages yet.")).to_be_visible()
    await say(mine, "**Hello** <b>everybody</b>")
    for page in (mine, other):
        message = page.get_by_test_id("message-1")
        await expect(message.locator("strong")).to_have_text("Hello")
        await expect(message).to_contain_text("<b>everybody</b>")
    await expect(mine.get_by_test_id("pending")).to_have_count(0)
    await say(other, "An answer\u202e\u200b مرحبا")
    await expect(mine.get_by_test_id("message-2")).to_contain_text("An answer")
    await other.get_by_role("textbox", name="Message:").fill(" \n ")
    await expect(other.get_by_role("button", name="Send")).to_be_disabled()
    findings = await Axe().run(mine)
    assert not [each for each in findings.response["violations"] if each["impact"] in ("serious", "critical")]


async def test_who_is_typing_shows_until_the_message_comes(world: World, window: SignedIn) -> None:
    org = await world.organization("Ours")
    ada, ben = await named(world, org, "Ada"), await named(world, org, "Ben")
    mine, other = await window(ada, "/chat"), await window(ben, "/chat")
    await types_until_seen(other, mine, "Ben is typing…")
    field = other.get_by_role("textbox", name="Message:")
    await expect(other.get_by_test_id("typing")).to_have_text("")
    await field.press("Enter")
    await expect(mine.get_by_test_id("message-1")).to_be_visible()
    await expect(mine.get_by_test_id("typing")).to_have_text("")


async def test_who_is_removed_while_typing_is_gone_and_what_they_wrote_stays(world: World, window: SignedIn) -> None:
    org = await world.organization("Ours")
    ada, ben = await named(world, org, "Ada", Role.ADMIN), await named(world, org, "Ben")
    await post(world, ben, org, "I was here")
    mine, other = await window(ada, "/chat"), await window(ben, "/chat")
    await types_until_seen(other, mine, "Ben is typing…")
    await team.remove(world.database, ada.identity, org, ben.id)
    await expect(mine.get_by_test_id("typing")).to_have_text("")
    await expect(other.get_by_role("heading", name="You are no longer a member of Ours")).to_be_visible()
    await expect(mine.get_by_test_id("message-1")).to_contain_text("Ben")
    await mine.reload()
    await expect(mine.get_by_test_id("message-1")).to_contain_text("Ben")


@pytest.mark.parametrize("width", [360, 800])
async def test_nothing_of_the_chat_leaves_a_narrow_screen(world: World, window: SignedIn, width: int) -> None:
    org = await world.organization("Ours")
    ada = await named(world, org, "A" * 120)
    run = await stream(world, org, "n" * 200)
    await post(world, ada, org, "x" * 2000 + "\n\n```\n" + "y" * 500 + "\n```\n" + "| a " * 100)
    await post(world, ada, org, "\u202e" + "مرحبا " * 100, run)
    page = await window(ada, "/chat")
    await page.set_viewport_size({"width": width, "height": 740})
    for path in ("/chat", f"/chat?about={run}", f"/streams/{run.id}"):
        await page.goto(path)
        await expect(page.get_by_test_id("message-1")).to_be_attached()
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        box = await page.get_by_role("textbox", name="Message:").bounding_box()
        assert box
        assert box["x"] + box["width"] <= width


async def test_a_message_is_answered_edited_reacted_to_and_deleted(world: World, window: SignedIn) -> None:
    org = await world.organization("Ours")
    ada, ben = await named(world, org, "Ada", Role.ADMIN), await named(world, org, "Ben")
    await post(world, ben, org, "It is stcuk")
    mine, other = await window(ada, "/chat"), await window(ben, "/chat")
    await act(other, 1, "Edit")
    await say(other, "It is stuck")
    await expect(mine.get_by_test_id("message-1")).to_contain_text("edited")
    await act(mine, 1, "React with 👀")
    reaction = other.get_by_role("button", name="👀 1: Ada")
    await expect(reaction).to_have_attribute("aria-pressed", "false")
    await reaction.click()
    await expect(mine.get_by_role("button", name="👀 2: Ada, Ben")).to_be_visible()
    await act(mine, 1, "Reply")
    await say(mine, "Since when?")
    await expect(other.get_by_test_id("message-2")).to_contain_text("Ben: It is stuck")
    await expect(mine.get_by_test_id("message-1").get_by_role("button", name="Edit")).to_have_count(0)
    await act(mine, 1, "Delete")
    await expect(other.get_by_test_id("message-1")).to_contain_text("Message deleted")
    await expect(other.get_by_test_id("message-2")).to_contain_text("a message that was deleted")


async def test_a_mention_is_completed_and_arrives_as_a_notification(world: World, window: SignedIn) -> None:
    org = await world.organization("Ours")
    ada, ben = await named(world, org, "Ada"), await named(world, org, "Ben Nevis")
    await named(world, await world.organization("Theirs"), "Benedict")
    run = await stream(world, org)
    mine, other = await window(ada, f"/chat?about={run}"), await window(ben, "/")
    field = mine.get_by_role("textbox", name="Message:")
    await field.press_sequentially("Look, @be")
    await expect(mine.get_by_role("option")).to_have_text(["Ben Nevis"])
    await field.press("Enter")
    await field.press_sequentially("it failed")
    await field.press("Enter")
    await expect(mine.get_by_test_id("message-1").locator(".lw-chat__mention")).to_have_text("@Ben Nevis")
    await expect(other.get_by_text("Ada mentioned you in Nightly import").first).to_be_visible()
    await other.goto("/notifications")
    await expect(other.get_by_text("Look, @Ben Nevis it failed").first).to_be_visible()


async def test_what_is_new_is_counted_marked_and_read(world: World, window: SignedIn) -> None:
    org = await world.organization("Ours")
    ada, ben = await named(world, org, "Ada"), await named(world, org, "Ben")
    await post(world, ben, org, "one")
    mine, elsewhere = await window(ada, "/chat"), await window(ada, "/settings")
    await expect(mine.get_by_test_id("message-1")).to_be_visible()
    await expect(badge(elsewhere)).to_have_attribute("data-value", "0")
    await mine.goto("/")
    for number in range(3):
        await post(world, ben, org, f"new {number}")
    await expect(badge(elsewhere)).to_have_attribute("data-value", "3")
    await expect(elsewhere).to_have_title("• Settings · Livewatch")
    await mine.goto("/chat")
    await expect(mine.get_by_role("separator")).to_have_text("New")
    await expect(badge(elsewhere)).to_have_attribute("data-value", "0")
    run = await stream(world, org)
    await post(world, ben, org, "not mine", run)
    await expect(mine.locator(f'[data-about="{run}"]')).to_be_visible()
    await expect(badge(elsewhere)).to_have_attribute("data-value", "0")


async def test_a_link_to_a_run_shows_its_status_live(world: World, window: SignedIn) -> None:
    org = await world.organization("Ours")
    ada, run = await world.person(org), await stream(world, org)
    page = await window(ada, "/chat")
    await say(page, f"see {page.url.partition('/chat')[0]}/streams/{run.id}")
    chip = page.locator(f'[data-run="{run.id}"]')
    await expect(chip).to_contain_text("Nightly import")
    await world.sql("update streams set goal_status = 'blocked' where id = %s", run.id)
    await expect(chip).to_contain_text("Blocked")
    await chip.click()
    await expect(page.get_by_role("heading", name="Nightly import").first).to_be_visible()


async def test_a_run_is_taken_and_resolved_and_everybody_sees_it(world: World, window: SignedIn) -> None:
    org = await world.organization("Ours")
    ada, ben = await named(world, org, "Ada"), await named(world, org, "Ben")
    run = await stream(world, org)
    mine, other = await window(ada, f"/streams/{run.id}"), await window(ben, f"/chat?about={run}")
    await expect(mine.get_by_text("Nobody takes care of this yet.")).to_be_visible()
    await other.get_by_role("button", name="Take").click()
    await expect(mine.get_by_test_id("handling")).to_contain_text("Ben")
    await expect(other.get_by_test_id("handling")).to_contain_text("You")
    await mine.get_by_role("button", name="Resolve").click()
    await mine.get_by_label("Note", exact=True).fill("restarted <it>")
    await mine.get_by_label("Note", exact=True).press("Enter")
    await expect(other.get_by_test_id("handling")).to_have_attribute("data-value", "resolved")
    await expect(other.get_by_text("resolved it: restarted <it>")).to_be_visible()


async def test_a_viewer_reads_and_is_offered_nothing(world: World, window: SignedIn) -> None:
    org = await world.organization("Ours")
    ada, viewer = await world.person(org), await world.person(org, role=Role.VIEWER)
    await post(world, ada, org, "for all")
    page = await window(viewer, "/chat")
    await expect(page.get_by_test_id("message-1")).to_be_visible()
    await expect(page.get_by_text("Viewers read here.")).to_be_visible()
    await expect(page.get_by_role("textbox", name="Message:")).to_have_count(0)
    await expect(page.get_by_role("button", name="Actions for")).to_have_count(0)


async def test_a_thread_of_another_organisation_or_of_nothing_is_empty(world: World, window: SignedIn) -> None:
    ours, theirs = await world.organization("Ours"), await world.organization("Theirs")
    ada, eve = await world.person(ours), await world.person(theirs)
    run = await stream(world, theirs)
    await post(world, eve, theirs, "secret", run)
    page = await window(ada, f"/chat?about={run}")
    await expect(page.get_by_text("No messages yet.")).to_be_visible()
    await say(page, "hello?")
    await expect(page.get_by_test_id("pending")).to_contain_text("This was deleted, or it belongs to somebody else.")
    await page.get_by_test_id("pending").get_by_role("button", name="Edit").click()
    await expect(page.get_by_role("textbox", name="Message:")).to_have_value("hello?")
    await page.goto("/chat?about=nonsense:1")
    await expect(page.get_by_role("heading", name="There is no such thread")).to_be_visible()


async def test_a_long_thread_scrolls_back_and_is_searched(world: World, window: SignedIn) -> None:
    org = await world.organization("Ours")
    ada = await world.person(org)
    await post(world, ada, org, "the very first")
    ((thread,),) = await world.sql("select id from threads where org_id = %s", org)
    await world.sql(
        "insert into messages (id, org_id, thread_id, number, author_id, author_name, body)"
        " select gen_random_uuid(), %s, %s, n, %s, 'Ada', 'number ' || n from generate_series(2, 10000) n",
        org,
        thread,
        ada.id,
    )
    await world.sql("update threads set last_number = 10000 where id = %s", thread)
    page = await window(ada, "/chat")
    await expect(page.get_by_test_id("message-10000")).to_be_in_viewport()
    for number in (9951, 9901, 9851):
        await page.get_by_test_id(f"message-{number}").scroll_into_view_if_needed()
        await page.get_by_role("log").evaluate("(box) => { box.scrollTop = 0; }")
        await expect(page.get_by_test_id(f"message-{number - 1}")).to_be_attached()
    await page.get_by_label("Search messages").fill("very fir")
    await page.get_by_role("link", name="the very first").click()
    await expect(page.get_by_test_id("message-1")).to_be_in_viewport()


async def test_a_message_is_shown_whether_its_number_or_the_messages_come_first(world: World, window: SignedIn) -> None:
    org = await world.organization("Ours")
    ada = await world.person(org)
    await post(world, ada, org, "number 1")
    await world.sql(
        "insert into messages (id, org_id, thread_id, number, author_id, author_name, body)"
        " select gen_random_uuid(), org_id, id, n, %s, 'Ada', 'number ' || n from threads, generate_series(2, 40) n"
        " where org_id = %s",
        ada.id,
        org,
    )
    await world.sql("update threads set last_number = 40 where org_id = %s", org)
    page = await window(ada, "/chat")
    await expect(page.get_by_test_id("message-40")).to_be_in_viewport()
    # The messages are read again, and come after the number.
    await page.locator("section.lw-chat").evaluate("""(section) => {
        const thread = getElement(+section.id.slice(1));
        thread.latest();
        thread.jump(3);
    }""")
    await expect(page.get_by_test_id("message-3")).to_be_in_viewport()
    await expect(page.get_by_test_id("message-40")).not_to_be_in_viewport()


async def test_the_drawer_opens_the_chat_over_any_page(world: World, window: SignedIn) -> None:
    org = await world.organization("Ours")
    ada = await world.person(org)
    page = await window(ada, "/settings")
    await page.get_by_role("button", name="Chat").click()
    drawer = page.get_by_test_id("chat-drawer")
    await drawer.get_by_role("textbox", name="Message:").fill("from here")
    await drawer.get_by_role("textbox", name="Message:").press("Enter")
    await expect(drawer.get_by_test_id("message-1")).to_contain_text("from here")
    await page.keyboard.press("Escape")
    await expect(drawer).to_have_count(0)
