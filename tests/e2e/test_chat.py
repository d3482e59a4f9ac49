"""People talk in the browser: messages, replies, reactions, mentions, outages, and who takes care of a run."""

import pytest
from playwright.async_api import Page, expect

from services.people.models import Role
from tests.e2e.conftest import SignedIn
from tests.world import World

pytestmark = pytest.mark.e2e


async def say(page: Page, body: str) -> None:
    """Write a message and send it with Enter."""
    field = page.get_by_role("textbox", name="Message:")
    await field.fill(body)
    await field.press("Enter")


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
    await say(other, "An answer")
    await expect(mine.get_by_test_id("message-2")).to_contain_text("An answer")
