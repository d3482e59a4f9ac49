"""Reported runs: unreachable programs and their return, logs and errors."""

from uuid import UUID, uuid4

import pytest
from playwright.async_api import expect

from services.entities import AcquisitionScan, AgentExecution, AgentStatus, GoalStatus, ScanStatus, Stream
from services.history.run_logs import log_lines
from services.people.models import Role
from tests.e2e.conftest import SignedIn, live
from tests.world import World

pytestmark = pytest.mark.e2e
BEAT = "update {} set heartbeat_at = now(), heartbeat_interval = 1 where id = %s"


async def log(world: World, org: UUID, run: UUID, *messages: str, level: str = "info") -> None:
    for message in messages:
        await world.sql(
            "insert into log_lines (org_id, run_id, level, message) values (%s, %s, %s, %s)", org, run, level, message
        )
    await world.sql(BEAT.format("streams"), run)


async def test_a_silent_program_is_unreachable_until_its_next_beat(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    stream = Stream(org_id=org, name="Import", total=9, completed=3, goal_status=GoalStatus.ON_TRACK)
    scan = AcquisitionScan(org_id=org, stream_id=stream.id, name="Scan", status=ScanStatus.SCANNING)
    run = AgentExecution(org_id=org, stream_id=stream.id, agent_id="a", agent_name="Agent", status=AgentStatus.RUNNING)
    for row in (stream, scan, run):
        await world.insert(row, by=ada)
    await world.sql("update streams set updated_at = now() where id = %s", stream.id)
    rows = {"streams": stream.id, "acquisition_scans": scan.id, "agent_executions": run.id}
    page = await window(ada, f"/streams/{stream.id}")
    for table, id in rows.items():
        await expect(live(page, table, id, "unreachable")).to_have_count(0)
        await world.sql(BEAT.format(table), id)
    for table, id in rows.items():
        await expect(live(page, table, id, "unreachable")).to_contain_text("Unreachable since")
    await page.goto("/monitoring?status=unreachable")
    await expect(live(page, "streams", stream.id, "name")).to_be_visible()
    await page.goto("/")
    await expect(live(page, "streams", stream.id, "unreachable").first).to_be_visible()
    await page.goto(f"/monitoring/agents?selected={run.id}")
    await expect(live(page, "agent_executions-details", "row", "unreachable")).to_be_visible()
    await world.sql(BEAT.format("agent_executions").replace("= 1", "= 60"), run.id)
    await expect(live(page, "agent_executions-details", "row", "unreachable")).to_have_count(0)
    await expect(live(page, "agent_executions", run.id, "unreachable")).to_have_count(0)


async def test_a_run_comes_into_the_list_of_the_unreachable_while_somebody_watches(
    world: World, window: SignedIn
) -> None:
    """Its row does not change then: time alone does it, in the view that all windows share."""
    org = await world.organization()
    ada, ben = await world.person(org), await world.person(org)
    stream = Stream(org_id=org, name="Import", total=9, completed=3, goal_status=GoalStatus.ON_TRACK)
    await world.insert(stream, by=ada)
    await world.sql(BEAT.format("streams"), stream.id)
    pages = [await window(person, "/monitoring?status=unreachable") for person in (ada, ben)]
    await world.sql(BEAT.format("streams").replace("= 1", "= 3"), stream.id)
    for page in pages:
        await expect(live(page, "streams", stream.id, "name")).to_be_visible()


async def test_a_heartbeat_is_no_news_of_a_run(world: World) -> None:
    org = await world.organization()
    id = uuid4()
    await world.sql("insert into streams (id, org_id, name, total) values (%s, %s, 's', 9)", id, org)
    look = (
        "select updated_at, version, (select count(*) from activities where subject_id = %s) from streams where id = %s"
    )
    [before] = await world.sql(look, id, id)
    await world.sql(BEAT.format("streams"), id)
    [after] = await world.sql(look, id, id)
    assert (after[0], after[2]) == (before[0], before[2])
    assert after[1] > before[1]
    await world.sql("update streams set heartbeat_at = now(), completed = 1 where id = %s", id)
    [moved] = await world.sql(look, id, id)
    assert moved[0] > before[0]


async def test_lines_come_live_and_stay_text(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    attack = "<img src=x onerror=\"document.title='owned'\">"
    metadata = {"host": attack, "retries": 3}
    stream = Stream(
        org_id=org, name="Import", goal_status=GoalStatus.BLOCKED, error="No space left: " + attack, details=metadata
    )
    await world.insert(stream, by=ada)
    page = await window(ada, f"/streams/{stream.id}")
    await expect(page.get_by_role("heading", name="Log")).to_have_count(0)
    await expect(live(page, "streams", stream.id, "error")).to_contain_text("No space left")
    await expect(live(page, "streams-details", "row", "metadata")).to_contain_text(attack)
    await log(world, org, stream.id, "Page 1", attack)
    lines = page.locator(".lw-log__line")
    await expect(lines).to_have_count(2)
    await expect(lines.nth(1)).to_contain_text(attack)
    await log(world, org, stream.id, "It broke", level="error")
    await expect(lines).to_have_count(3)
    await expect(lines.nth(2)).to_have_attribute("data-tone", "critical")
    assert await page.title() != "owned"


async def test_lines_of_another_organisation_are_not_to_be_had(world: World) -> None:
    ours, theirs = await world.organization(), await world.organization()
    eve, bob = await world.person(ours, role=Role.ADMIN), await world.person(theirs)
    stream = Stream(org_id=theirs, name="Secret")
    await world.insert(stream, by=bob)
    await log(world, theirs, stream.id, "one", "two", "three")
    assert await log_lines(world.database, eve.identity, stream.id) == []
    told = await log_lines(world.database, bob.identity, stream.id)
    assert [line.message for line in told] == ["one", "two", "three"]
    assert [line.message for line in await log_lines(world.database, bob.identity, stream.id, after=told[1].id)] == [
        "three"
    ]
    assert [line.message for line in await log_lines(world.database, bob.identity, stream.id, before=told[1].id)] == [
        "one"
    ]


async def test_the_page_of_a_stream_tells_everything_that_was_reported(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    stream = Stream(org_id=org, name="Import of orders", description="Reads the orders.\nTwice a day.", total=9)
    await world.insert(stream, by=ada)
    await world.sql("update streams set slug = 'import', finished_at = now() where id = %s", stream.id)
    page = await window(ada, f"/streams/{stream.id}")
    heading = page.get_by_role("heading", level=1)
    await expect(heading).to_have_text("Import of orders")
    await expect(page).to_have_title("Import of orders · Livewatch")
    await expect(page.locator(".lw-crumbs")).to_contain_text("Import of orders")
    about = page.get_by_role("region", name="About")
    for told in ("Reads the orders.", "Twice a day.", "import", "Created", "Ended"):
        await expect(about).to_contain_text(told)
    await world.sql("update streams set name = 'Renamed' where id = %s", stream.id)
    await expect(heading).to_have_text("Renamed")
    await expect(page).to_have_title("Renamed · Livewatch")
    await page.get_by_role("link", name="All streams").click()
    await expect(page).to_have_title("Live Monitoring · Livewatch")
    await expect(page.locator(".lw-crumbs")).not_to_contain_text("Renamed")


async def test_a_log_that_cannot_be_read_is_not_passed_off_as_none(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    stream = Stream(org_id=org, name="Logged")
    await world.insert(stream, by=ada)
    await world.sql("insert into log_lines (org_id, run_id, message) values (%s, %s, 'A line')", org, stream.id)
    await world.sql("revoke select on log_lines from authenticated")
    try:
        page = await window(ada, f"/streams/{stream.id}")
        await expect(page.locator(".lw-log")).to_contain_text("The log could not be read: The database does not let")
    finally:
        await world.sql("grant select on log_lines to authenticated")
    await expect(page.locator(".lw-log")).to_contain_text("A line")
    await expect(page.get_by_text("could not be read")).to_have_count(0)
