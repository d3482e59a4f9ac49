"""Schedules in the browser, and a killed program that is told as unreachable and comes back."""

import pytest
from playwright.async_api import expect

from services.people.models import Role
from services.schedules.plan import Plan
from services.schedules.schedules import put_schedule
from tests.e2e.conftest import SignedIn, live
from tests.world import World

pytestmark = pytest.mark.e2e
RUN = (
    "insert into streams (org_id, name, slug, goal_status, heartbeat_at, heartbeat_interval) "
    "values (%s, 'Nightly import', %s, 'in_progress', clock_timestamp(), 1) returning id"
)


async def test_an_operator_creates_changes_pauses_and_removes_a_schedule(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    await world.sql(RUN, org, "nightly")
    page = await window(ada, "/jobs/streams/nightly")
    panel = page.get_by_test_id("schedule")
    await expect(panel).to_contain_text("No schedule")
    await panel.get_by_role("button", name="Create schedule").click()
    dialog = page.get_by_role("dialog")
    preview = dialog.get_by_test_id("preview")
    await dialog.get_by_label("Expected").fill("0 25 * * *")
    await expect(preview).to_contain_text("“0 25 * * *” is wrong")
    await dialog.get_by_label("Expected").fill("0 2 * * *")
    await dialog.get_by_label("Time zone").fill("Mars/Olympus")
    await expect(preview).to_contain_text("Mars/Olympus")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_be_visible()
    await dialog.get_by_label("Time zone").fill("Europe/Berlin")
    await dialog.get_by_label("Grace").fill("30m")
    await dialog.get_by_role("button", name="Save").click()
    await expect(panel.locator('[data-field="state"]')).to_contain_text("On time")
    await expect(panel.locator('[data-field="next"]')).to_contain_text("in ")
    await panel.get_by_role("button", name="Pause").click()
    await expect(panel.locator('[data-field="state"]')).to_contain_text("Paused")
    await panel.get_by_role("button", name="Resume").click()
    await expect(panel.locator('[data-field="state"]')).to_contain_text("On time")
    await panel.get_by_role("button", name="Remove").click()
    await page.get_by_test_id("confirm").get_by_role("button", name="Remove").click()
    await expect(panel).to_contain_text("No schedule")


async def test_a_job_that_becomes_late_shows_on_the_page_of_schedules_while_somebody_watches(
    world: World, window: SignedIn
) -> None:
    org, other = await world.organization(), await world.organization()
    ada, viewer, eve = await world.person(org), await world.person(org, role=Role.VIEWER), await world.person(other)
    await world.sql(RUN, org, "nightly")
    plan = Plan.parse({"expect": "1h", "grace": "10m"})
    await put_schedule(world.database, ada.identity, org, "streams", "nightly", plan=plan)
    page = await window(viewer, "/schedules")
    row = page.get_by_test_id("schedule-streams-nightly")
    await expect(row.locator('[data-field="state"]')).to_contain_text("On time")
    await expect(row.locator(".lw-strip__run")).to_have_count(1)
    past = "next_due_at = clock_timestamp() - interval '1 h', late_at = clock_timestamp(), check_at = clock_timestamp()"
    await world.sql(f"update schedules set {past}, met_at = null where org_id = %s", org)
    await expect(row.locator('[data-field="state"]')).to_contain_text("Late")
    await world.sql(RUN, org, "nightly@next")
    await expect(row.locator('[data-field="state"]')).to_contain_text("On time")
    await expect(row.locator(".lw-strip__run")).to_have_count(2)
    theirs = await window(eve, "/schedules")
    await expect(theirs.get_by_text("There are no schedules yet")).to_be_visible()
    await page.goto("/jobs/streams/nightly")
    await expect(page.get_by_test_id("schedule").locator('[data-field="state"]')).to_be_visible()
    await expect(page.get_by_test_id("schedule").get_by_role("button")).to_have_count(0)


async def test_a_program_that_is_killed_is_told_as_unreachable_and_its_recovery_as_well(
    world: World, window: SignedIn
) -> None:
    org = await world.organization()
    ada = await world.person(org)
    [[id]] = await world.sql(RUN, org, "import")
    page = await window(ada, "/")
    activity = page.locator(f'[data-table="activities"][data-subject="{id}"]')
    await expect(live(page, "streams", id, "unreachable").first).to_be_visible()
    await expect(activity.first).to_contain_text("Unreachable")
    await world.sql("update streams set heartbeat_at = now(), heartbeat_interval = 60 where id = %s", id)
    await expect(activity.first).to_contain_text("Back after")
    await expect(live(page, "streams", id, "unreachable")).to_have_count(0)
