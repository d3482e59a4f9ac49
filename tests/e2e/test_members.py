"""A team comes in: an admin invites, changes roles, and removes; every window follows."""

import re
from uuid import uuid4

import pytest
from playwright.async_api import Browser, expect

from services.people import team
from services.people.invitations import invite
from services.people.models import Role
from tests.app_process import AppProcess
from tests.browser import new_context
from tests.e2e.conftest import VIEWPORT, SignedIn
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


async def test_a_stranger_comes_in_by_a_link_and_everybody_sees_it(
    world: World, window: SignedIn, app: AppProcess, browser: Browser
) -> None:
    org = await world.organization("Ours")
    ada = await world.person(org, role=Role.ADMIN)
    email = f"{uuid4().hex[:12]}@example.org"
    admin = await window(ada, "/settings/members")
    await admin.get_by_role("button", name="Invite").click()
    dialog = admin.get_by_role("dialog", name="Invite")
    await dialog.get_by_label("E-mail addresses").fill(f"{email}, nobody")
    await dialog.get_by_role("button", name="Create links").click()
    await expect(dialog.get_by_text("Not an e-mail address: nobody")).to_be_visible()
    await dialog.get_by_label("E-mail addresses").fill(email.upper())
    await dialog.get_by_role("button", name="Create links").click()
    link = await admin.get_by_role("dialog", name="Links").locator("pre").inner_text()
    await admin.get_by_role("button", name="Done").click()
    await expect(admin.get_by_text("Expires in 7 d")).to_be_visible()
    context = await new_context(browser, base_url=app.url, viewport=VIEWPORT)
    stranger = await context.new_page()
    await stranger.goto(link.strip())
    card = stranger.get_by_test_id("invitation")
    await expect(card).to_contain_text("to watch its work live, as operator")
    await expect(card.get_by_label("E-mail")).to_have_value(email)
    await card.get_by_label("Your name").fill("Grace Hopper")
    await card.get_by_label("Password").fill("nanoseconds")
    await card.get_by_role("button", name="Create account and join").click()
    await stranger.wait_for_selector('body[data-live="connected"]')
    await expect(stranger.get_by_text("Ours").first).to_be_visible()
    await expect(admin.locator(".lw-person", has_text="Grace Hopper")).to_contain_text(email)
    await expect(admin.get_by_text("No open invitations.")).to_be_visible()
    await stranger.goto(link.strip())
    await stranger.wait_for_selector('body[data-live="connected"]')
    await context.clear_cookies()
    await stranger.goto(link.strip())
    await expect(stranger.get_by_role("heading", name="This invitation has been used")).to_be_visible()
    assert link.strip().rpartition("/")[2] not in "".join(app.lines)
    await context.close()


async def test_many_addresses_stay_within_their_field(world: World, window: SignedIn) -> None:
    ada = await world.person(await world.organization(), role=Role.ADMIN)
    admin = await window(ada, "/settings/members")
    await admin.set_viewport_size({"width": 390, "height": 844})
    await admin.get_by_role("button", name="Invite").click()
    field = admin.get_by_role("dialog", name="Invite").get_by_label("E-mail addresses")
    await field.fill(", ".join(f"{uuid4().hex}@a-long-domain.example.org" for _ in range(6)))
    frame = admin.locator(".q-textarea .q-field__control")
    await expect(field).to_have_js_property("scrollTop", 0)
    inner, outer = await field.bounding_box(), await frame.bounding_box()
    assert inner
    assert outer
    assert inner["height"] > 100
    assert inner["y"] + inner["height"] <= outer["y"] + outer["height"] + 1


async def test_somebody_who_is_signed_in_joins_at_once_unless_it_is_for_another_address(
    world: World, window: SignedIn, app: AppProcess
) -> None:
    ours, theirs = await world.organization("Ours"), await world.organization("Theirs")
    ada, eve = await world.person(ours, role=Role.ADMIN), await world.person(theirs)
    (for_ada,) = await invite(world.database, ada.identity, ours, role=Role.VIEWER, emails=[ada.email])
    (for_all,) = await invite(world.database, ada.identity, ours, role=Role.VIEWER)
    page = await window(eve, "/")
    await page.goto(f"/invitation/{for_ada.token.get_secret_value()}")
    await expect(page.get_by_role("heading", name="This invitation is for another address")).to_be_visible()
    await page.goto(f"/invitation/{for_all.token.get_secret_value()}")
    await page.wait_for_selector('body[data-live="connected"]')
    await expect(page.get_by_test_id("organisation")).to_have_text(re.compile("Ours"))
    assert await world.sql("select role from org_members where org_id = %s and user_id = %s", ours, eve.id) == [
        ("viewer",)
    ]


async def test_an_organisation_is_renamed_and_deleted_in_every_window(world: World, window: SignedIn) -> None:
    org = await world.organization("Ours")
    ada, bob = await world.person(org, role=Role.ADMIN), await world.person(org)
    admin, member = await window(ada, "/settings/members"), await window(bob, "/monitoring")
    await admin.get_by_label("Name of the organisation").fill("Renamed")
    await admin.get_by_role("button", name="Save").click()
    await expect(member.locator(".lw-crumbs__org")).to_have_text("Renamed")
    await admin.get_by_role("button", name="Leave").click()
    await admin.get_by_test_id("confirm").get_by_role("button", name="Leave").click()
    await expect(admin.get_by_text("Make another member an admin first")).to_be_visible()
    await admin.reload()
    await admin.get_by_role("button", name="Delete organisation").click()
    dialog = admin.get_by_test_id("confirm")
    await expect(dialog.get_by_role("button", name="Delete")).to_be_disabled()
    await dialog.get_by_label("Type Renamed to confirm").fill("Renamed")
    await dialog.get_by_role("button", name="Delete").click()
    for each in (admin, member):
        await expect(each.get_by_role("heading", name="You are no longer a member of")).to_be_visible()
    assert await world.sql("select 1 from organizations where id = %s", org) == []


async def test_admins_read_search_and_export_the_audit_log(world: World, window: SignedIn) -> None:
    org = await world.organization("Ours")
    ada, bob = await world.person(org, role=Role.ADMIN), await world.person(org)
    await team.change_role(world.database, ada.identity, org, bob.id, Role.VIEWER)
    await world.sql("update organizations set name = '=1+1' where id = %s", org)
    page = await window(ada, "/settings/audit")
    await expect(page.get_by_text("changed a role")).to_be_visible()
    await expect(page.get_by_text("role: operator → viewer")).to_be_visible()
    await page.get_by_test_id("search").fill("renamed")
    await expect(page.get_by_text("changed a role")).to_have_count(0)
    await expect(page.get_by_text("renamed the organisation")).to_be_visible()
    await page.get_by_test_id("search").fill("nothing of the kind")
    await expect(page.get_by_text("No events match.")).to_be_visible()
    answer = await page.context.request.get(f"/export/audit.csv?org={org}")
    lines = (await answer.text()).splitlines()
    assert lines[0] == "\ufeffid,at,actor,address,action,subject,before,after"
    assert any(",organization.renamed,'=1+1," in line for line in lines)
    assert ",list.exported,audit," in lines[1]
    member = await window(bob, "/settings/audit")
    await expect(member.get_by_role("heading", name="Only admins read the audit log")).to_be_visible()
    assert (await member.context.request.get(f"/export/audit.csv?org={org}")).status == 403
