"""People edit a stream at the same time: merged by field, nothing overwritten unseen, nothing typed is lost."""

from uuid import UUID, uuid4

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Locator, Page, expect

from services.editing.streams import edit_stream
from services.people.models import Role
from tests.app_process import AppProcess
from tests.browser import new_context
from tests.e2e.conftest import SignedIn, sign_in
from tests.e2e.test_chat import named
from tests.proxies import TcpProxy
from tests.world import World

pytestmark = pytest.mark.e2e


async def stream(world: World, org: UUID, name: str = "Import") -> UUID:
    id = uuid4()
    await world.sql("insert into streams (id, org_id, name) values (%s, %s, %s)", id, org, name)
    return id


def plan(page: Page) -> Locator:
    return page.get_by_test_id("plan")


async def edit(page: Page) -> Locator:
    await plan(page).get_by_role("button", name="Edit").click()
    return plan(page)


def shown(page: Page, field: str) -> Locator:
    return plan(page).locator(f'[data-field="{field}"] .lw-plan__value')


async def test_a_stream_is_begun_and_planned_in_the_browser(world: World, window: SignedIn) -> None:
    org = await world.organization("Ours")
    ada, ben = await named(world, org, "Ada"), await named(world, org, "Ben")
    page, other = await window(ada, "/monitoring"), await window(ben, "/monitoring")
    await page.get_by_role("button", name="New stream").click()
    dialog = page.get_by_role("dialog", name="New stream")
    await dialog.get_by_role("button", name="Create stream").click()
    await expect(dialog.get_by_text("Enter a name.")).to_be_visible()
    await dialog.get_by_label("Name").fill("Migrate <everything>")
    await dialog.get_by_role("button", name="Create stream").click()
    await expect(other.get_by_text("Migrate <everything>").first).to_be_visible()
    form = await edit(page)
    await form.get_by_label("Description").fill("All\nof it")
    await form.get_by_label("Status").select_option("on_track")
    await form.get_by_label("Goal").fill("40")
    await form.get_by_label("Owner").select_option(label="Ben")
    await form.get_by_label("Due").fill("2027-03-01")
    await form.get_by_label("Tags").fill("big, urgent, big,")
    await form.get_by_label("Target metrics").fill("quality: 95\nname: x:y")
    await form.get_by_role("button", name="Save").click()
    await other.goto(page.url)
    for field, text in (
        *(("description", "All\nof it"), ("total", "40"), ("owner_id", "Ben")),
        *(("due_on", "2027-03-01"), ("tags", "big, urgent"), ("target_metrics", "name: x:y\nquality: 95")),
    ):
        await expect(shown(other, field)).to_have_text(text)
    await expect(shown(other, "goal_status")).to_contain_text("On track")
    findings = await Axe().run(page)
    assert not [each for each in findings.response["violations"] if each["impact"] in ("serious", "critical")]


async def test_two_people_edit_at_once_and_decide_about_the_same_field(world: World, window: SignedIn) -> None:
    org = await world.organization("Ours")
    ada, ben = await named(world, org, "Ada"), await named(world, org, "Ben")
    id = await stream(world, org)
    mine, other = await window(ada, f"/streams/{id}"), await window(ben, f"/streams/{id}")
    my_form, form = await edit(mine), await edit(other)
    await form.get_by_label("Name").fill("Ben's import")
    await expect(my_form.get_by_text("Ben edits this…")).to_be_visible()
    await my_form.get_by_label("Name").fill("Ada's import")
    await my_form.get_by_label("Tags").fill("mine")
    await form.get_by_label("Description").fill("by Ben")
    await form.get_by_role("button", name="Save").click()
    await expect(my_form.get_by_text("changed this to Ben's import meanwhile")).to_be_visible()
    await expect(my_form.get_by_label("Description")).to_have_value("by Ben")
    await expect(my_form.get_by_role("button", name="Save")).to_be_disabled()
    await my_form.get_by_role("button", name="Keep mine").click()
    await my_form.get_by_role("button", name="Save").click()
    for page in (mine, other):
        await expect(shown(page, "name")).to_have_text("Ada's import")
        await expect(shown(page, "description")).to_have_text("by Ben")
        await expect(shown(page, "tags")).to_have_text("mine")


async def test_an_edit_shows_who_did_what_and_is_undone(world: World, window: SignedIn) -> None:
    org = await world.organization("Ours")
    ada, ben = await named(world, org, "Ada"), await named(world, org, "Ben")
    id = await stream(world, org)
    page = await window(ada, f"/streams/{id}")
    await expect(shown(page, "name")).to_have_text("Import")
    await edit_stream(world.database, ben.identity, id, base={"owner_id": None}, changes={"owner_id": str(ada.id)})
    edits = page.get_by_role("region", name="Edits")
    await expect(edits).to_contain_text("Ben")
    await expect(edits.locator("del")).to_have_text("nothing")
    await expect(edits.locator("ins")).to_have_text("Ada")
    await edits.get_by_role("button", name="Undo: Ben changed the owner").click()
    await expect(shown(page, "owner_id")).to_have_text("\u2013")
    await expect(edits).to_contain_text("undid a change of the owner")
    await expect(edits.get_by_text("undone", exact=True)).to_be_visible()


async def test_what_is_typed_survives_reload_outage_and_closed_tab(
    world: World, browser: Browser, app: AppProcess
) -> None:
    org = await world.organization("Ours")
    ada = await named(world, org, "Ada")
    id = await stream(world, org)
    async with TcpProxy(app.url) as cable:
        context = await new_context(browser, base_url=cable.url)
        page = await context.new_page()
        await sign_in(page, ada, f"/streams/{id}")
        form = await edit(page)
        await form.get_by_label("Description").fill("half a thought")
        page.on("dialog", lambda dialog: dialog.accept())
        await page.reload()
        await expect(form.get_by_label("Description")).to_have_value("half a thought")
        await page.close()
        page = await context.new_page()
        await page.goto(f"/streams/{id}")
        form = plan(page)
        await expect(form.get_by_label("Description")).to_have_value("half a thought")
        await cable.cut()
        await page.wait_for_selector('body:not([data-live="connected"])')
        await form.get_by_label("Tags").fill("offline")
        await form.get_by_role("button", name="Save").click()
        await expect(form.get_by_role("button", name="Saving…")).to_be_visible()
        await world.sql("update streams set name = 'Renamed meanwhile' where id = %s", id)
        await cable.restore()
        await expect(shown(page, "tags")).to_have_text("offline")
        await expect(shown(page, "description")).to_have_text("half a thought")
        await expect(shown(page, "name")).to_have_text("Renamed meanwhile")
        await context.close()


async def test_leaving_with_unsaved_text_asks(world: World, window: SignedIn) -> None:
    org = await world.organization("Ours")
    ada = await named(world, org, "Ada")
    id = await stream(world, org)
    page = await window(ada, f"/streams/{id}")
    form = await edit(page)
    await form.get_by_label("Tags").fill("unsaved")
    asked: list[str] = []

    async def stay(dialog: object) -> None:
        asked.append(dialog.message)  # type: ignore[attr-defined]
        await dialog.dismiss()  # type: ignore[attr-defined]

    page.on("dialog", stay)
    await page.locator(".lw-sidebar").get_by_role("link", name="Settings").click()
    assert "not saved" in asked[0]
    assert page.url.endswith(str(id))
    await form.get_by_role("button", name="Discard").click()
    await page.locator(".lw-sidebar").get_by_role("link", name="Settings").click()
    await expect(page.get_by_role("heading", name="Settings").first).to_be_visible()
    assert len(asked) == 1


async def test_bad_values_and_deleted_streams_are_refused_and_nothing_is_lost(world: World, window: SignedIn) -> None:
    org = await world.organization("Ours")
    ada = await named(world, org, "Ada")
    id = await stream(world, org)
    page = await window(ada, f"/streams/{id}")
    form = await edit(page)
    await form.get_by_label("Goal").fill("many")
    await expect(form.get_by_text("A goal is a number from 0 on.")).to_be_visible()
    await form.get_by_label("Goal").fill("7")
    await form.get_by_label("Name").fill("   ")
    await form.get_by_role("button", name="Save").click()
    await expect(form.get_by_text("Not saved: A name has 1 to 200 characters.")).to_be_visible()
    await form.get_by_label("Name").fill("\u202e\u05d0\u200b")
    await form.get_by_label("Tags").fill("x" * 41)
    await form.get_by_role("button", name="Save").click()
    await expect(form.get_by_text("at most 20 tags")).to_be_visible()
    await expect(form.get_by_label("Goal")).to_have_value("7")
    await world.sql("delete from streams where id = %s", id)
    await expect(page.get_by_role("heading", name="There is no such stream")).to_be_visible()
    await page.evaluate("localStorage.clear()")
    await form.get_by_role("button", name="Discard", include_hidden=True).dispatch_event("click")


async def test_a_viewer_reads_the_plan(world: World, window: SignedIn) -> None:
    org = await world.organization("Ours")
    viewer = await world.person(org, role=Role.VIEWER)
    id = await stream(world, org)
    page = await window(viewer, f"/streams/{id}")
    await expect(shown(page, "name")).to_have_text("Import")
    await expect(plan(page).get_by_role("button", name="Edit")).to_have_count(0)
    await page.goto("/monitoring")
    await expect(page.get_by_role("button", name="New stream")).to_have_count(0)
