"""Closing, archiving and deleting runs on the page."""

import pytest
from playwright.async_api import Page, expect

from services.entities import GoalStatus, Stream
from services.people.models import Role
from tests.e2e.conftest import SignedIn, live
from tests.speed import milliseconds
from tests.world import World

pytestmark = pytest.mark.e2e
DELETED_SECONDS = 25.0
"""A deletion waits for more than ten seconds, in which it can be undone."""


async def choose(page: Page, action: str, within: str = ".lw-controls") -> None:
    """Choose an entry of the menu, and confirm it."""
    await page.locator(within).get_by_test_id("tidy").click()
    await page.get_by_role("button", name=f"{action} …").click()
    dialog = page.get_by_test_id("confirm")
    await dialog.get_by_role("button", name=action, exact=True).click()
    await expect(dialog).to_have_count(0)


@pytest.mark.lasting
async def test_what_a_filter_shows_is_closed_archived_and_deleted(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    streams = [Stream(org_id=org, name=f"Bar {n}", goal_status=GoalStatus.ON_TRACK) for n in range(5)]
    running = Stream(org_id=org, name="Import", goal_status=GoalStatus.ON_TRACK)
    for stream in (running, *streams):
        await world.insert(stream, by=ada)
    first, second = await window(ada, "/monitoring?q=bar"), await window(ada, "/monitoring")
    await expect(second.locator(".lw-card")).to_have_count(6)
    await first.bring_to_front()
    await choose(first, "Close")
    await expect(live(second, "streams", streams[0].id, "goal_status")).to_have_text("Cancelled")
    await expect(live(second, "streams", running.id, "goal_status")).to_have_text("On track")
    await expect(second.locator(".lw-card").first).to_contain_text("Import")  # what runs comes first
    await choose(first, "Archive")
    await expect(second.locator(".lw-card")).to_have_count(1)
    await expect(second.get_by_test_id("summary")).to_have_text("1 stream")
    await first.get_by_test_id("offer").get_by_role("button", name="Undo").click()
    await expect(second.locator(".lw-card")).to_have_count(6)
    await choose(first, "Archive")
    await expect(second.locator(".lw-card")).to_have_count(1)
    await second.goto("/monitoring?show=archived")
    await expect(second.locator(".lw-card")).to_have_count(5)
    await second.bring_to_front()
    await choose(second, "Delete")
    await expect(second.get_by_test_id("offer")).to_contain_text("5 streams will be deleted")
    await expect(second.locator(".lw-card")).to_have_count(0, timeout=milliseconds(DELETED_SECONDS))
    assert await world.sql("select name from streams where org_id = %s", org) == [("Import",)]


@pytest.mark.lasting
async def test_the_page_of_a_deleted_stream_leads_to_the_list(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada, viewer = await world.person(org), await world.person(org, role=Role.VIEWER)
    stream = Stream(org_id=org, name="Import")
    await world.insert(stream, by=ada)
    other = await window(viewer, f"/streams/{stream.id}")
    await expect(other.get_by_test_id("tidy")).to_have_count(0)
    page = await window(ada, f"/streams/{stream.id}")
    await page.bring_to_front()
    await page.locator(".lw-head").get_by_test_id("tidy").click()
    await page.get_by_role("button", name="Delete", exact=True).click()
    await page.wait_for_url("**/monitoring")
    await expect(page.get_by_test_id("offer")).to_contain_text("1 stream will be deleted")
    await expect(other.get_by_role("heading", name="There is no such stream")).to_be_visible(
        timeout=milliseconds(DELETED_SECONDS)
    )
