"""A team comes in: an admin invites, changes roles, and removes; every window follows."""

import pytest
from playwright.async_api import expect

from services.people.models import Role
from tests.e2e.conftest import SignedIn
from tests.world import World

pytestmark = pytest.mark.e2e


async def test_roles_change_in_every_window_and_what_they_offer(world: World, window: SignedIn) -> None:
    org = await world.organization("Ours")
    ada, bob = await world.person(org, role=Role.ADMIN), await world.person(org, role=Role.VIEWER)
    admin, member = await window(ada, "/settings/members"), await window(bob, "/settings/members")
    await expect(member.get_by_test_id(f"member-{ada.id}")).to_contain_text("Joined")
    await expect(member.get_by_text(ada.email)).to_have_count(0)
    await expect(member.get_by_role("button", name="Invite")).to_have_count(0)
    await admin.get_by_test_id(f"member-{bob.id}").get_by_role("combobox").select_option("admin")
    await expect(member.get_by_role("button", name="Invite")).to_be_visible()
    await expect(member.get_by_text(ada.email)).to_be_visible()
    await admin.get_by_test_id(f"member-{bob.id}").get_by_role("button", name="Remove").click()
    await admin.get_by_test_id("confirm").get_by_role("button", name="Remove").click()
    await expect(member.get_by_role("heading", name="You are no longer a member of Ours")).to_be_visible()
    await expect(admin.get_by_test_id(f"member-{bob.id}")).to_have_count(0)
    await admin.screenshot(path="/tmp/m1.png")
