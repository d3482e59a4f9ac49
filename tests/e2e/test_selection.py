"""Chosen rows and folded rows of a list, by mouse and by keyboard."""

from uuid import UUID

import pytest
from playwright.async_api import Browser, expect

from services.entities import GoalStatus, SignalAlert, Stream
from services.people.models import Role
from tests.app_process import AppProcess
from tests.browser import new_context
from tests.e2e.conftest import SignedIn, enter
from tests.world import Person, World

pytestmark = pytest.mark.e2e


async def streams_of(world: World, person: Person, org: UUID, *names: str, program: str | None = None) -> None:
    """Insert finished streams, the first named one newest."""
    for name in reversed(names):
        await world.insert(Stream(org_id=org, name=name, goal_status=GoalStatus.COMPLETED, program=program), by=person)


async def test_chosen_streams_are_archived_and_the_others_stay(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada, viewer = await world.person(org), await world.person(org, role=Role.VIEWER)
    await streams_of(world, ada, org, "Ape", "Bee", "Cat", "Dog", "Emu")
    other = await window(viewer, "/monitoring")
    await expect(other.locator(".lw-card")).to_have_count(5)
    await expect(other.locator(".lw-check")).to_have_count(0)
    page = await window(ada, "/monitoring")
    bar = page.get_by_test_id("selection")
    await expect(bar).to_be_hidden()
    await page.get_by_role("checkbox", name="Select Bee").click()
    await expect(bar).to_contain_text("1 selected")
    await page.get_by_role("checkbox", name="Select Dog").click(modifiers=["Shift"])
    await expect(bar).to_contain_text("3 selected")
    await page.get_by_role("checkbox", name="Select Cat").click()
    await expect(bar).to_contain_text("2 selected")
    await bar.get_by_role("button", name="Archive").click()
    await expect(other.locator(".lw-card")).to_have_count(3)
    await expect(other.locator(".lw-card").nth(1)).to_contain_text("Cat")
    await expect(bar).to_be_hidden()
    await expect(page.locator(".lw-check :checked")).to_have_count(0)


async def test_rows_are_chosen_from_the_keyboard(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    await streams_of(world, ada, org, "Ape", "Bee", "Cat")
    page = await window(ada, "/monitoring")
    bar = page.get_by_test_id("selection")
    await page.get_by_role("link", name="Ape").focus()
    await page.keyboard.press("x")
    await expect(bar).to_contain_text("1 selected")
    await page.keyboard.press("Shift+ArrowDown")
    await expect(bar).to_contain_text("2 selected")
    await expect(page.get_by_role("link", name="Bee")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(bar).to_be_hidden()
    await page.keyboard.press("Control+a")
    await expect(bar).to_contain_text("3 selected")
    # Rows that are no longer shown must not be acted on.
    await page.get_by_test_id("search").fill("bee")
    await expect(page.locator(".lw-card")).to_have_count(1)
    await expect(bar).to_be_hidden()


async def test_chosen_alerts_are_acknowledged_and_marked_as_unread(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    for name in ("Ape", "Bee", "Cat"):
        alert = SignalAlert(org_id=org, user_id=ada.id, target_name=name, signal_type="move", signal_strength=60)
        await world.insert(alert, by=ada)
    page = await window(ada, "/alerts")
    bar, unread = page.get_by_test_id("selection"), page.locator(".lw-line--unread")
    await expect(unread).to_have_count(3)
    for name in ("Ape", "Cat"):
        await page.get_by_role("checkbox", name=f"Select {name}").click()
    await bar.get_by_role("button", name="Acknowledge").click()
    await expect(unread).to_have_count(1)
    await expect(unread).to_contain_text("Bee")
    await expect(bar).to_be_hidden()
    for name in ("Ape", "Bee"):
        await page.get_by_role("checkbox", name=f"Select {name}").click()
    await bar.get_by_test_id("selection-more").click()
    await page.get_by_role("button", name="Mark as unread", exact=True).click()
    await expect(unread).to_have_count(2)


async def test_on_a_phone_the_menu_shows_the_checkboxes(world: World, app: AppProcess, browser: Browser) -> None:
    org = await world.organization()
    ada = await world.person(org)
    await streams_of(world, ada, org, "Ape", "Bee")
    phone = await new_context(
        browser, base_url=app.url, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    async with phone:
        await enter(phone, ada)
        page = await phone.new_page()
        await page.goto("/monitoring")
        await expect(page.locator(".lw-card")).to_have_count(2)
        await expect(page.locator(".lw-check").first).to_be_hidden()
        await page.locator(".lw-controls").get_by_test_id("tidy").tap()
        await page.get_by_role("button", name="Select …").tap()
        await page.get_by_role("checkbox", name="Select Bee").tap()
        await expect(page.get_by_test_id("selection")).to_contain_text("1 selected")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_the_streams_of_one_program_fold_and_unfold(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    await streams_of(world, ada, org, "Bar 3", "Bar 2", "Bar 1", program="p")
    await streams_of(world, ada, org, "Import")
    page, other = await window(ada, "/monitoring"), await window(ada, "/monitoring")
    for each in (page, other):
        await expect(each.locator(".lw-card")).to_have_count(2)
        await expect(each.get_by_test_id("summary")).to_have_text("4 streams")
    await page.bring_to_front()
    await page.get_by_role("button", name="Show 2 more of this program").click()
    await expect(page.locator(".lw-card")).to_have_count(4)
    await expect(other.locator(".lw-card")).to_have_count(2)
    await other.goto("/monitoring?q=bar")
    await expect(other.locator(".lw-card")).to_have_count(3)
