"""The dashboard and a stream's page: history, urgent work and estimates."""

from uuid import UUID, uuid4

import pytest
from playwright.async_api import expect

from services.entities import AgentExecution, AgentStatus, GoalStatus, Stream
from tests.e2e.conftest import SignedIn, live
from tests.world import World

pytestmark = pytest.mark.e2e


async def an_import_under_way(world: World, org: UUID) -> UUID:
    """Create a stream with half an hour of history."""
    stream = uuid4()
    await world.sql(
        "insert into streams (id, org_id, name, goal_status, completed, total, created_at) "
        "values (%s, %s, 'Import', 'on_track', 0, 1000, now() - interval '30 min')",
        stream, org,
    )  # fmt: skip
    await world.sql("update streams set completed = 90 where id = %s", stream)
    await world.sql(
        "update progress_points set at = now() - interval '30 min' where subject_id = %s and done < 90", stream
    )
    await world.sql(
        """insert into progress_points (org_id, subject_id, at, done, whole)
           select %s, %s, now() - make_interval(mins => 30 - n), n * 3, 1000 from generate_series(1, 29) as n""",
        org, stream,
    )  # fmt: skip
    await world.sql(
        "update streams set last_progress_at = now() - interval '1 s', rate = 0.5, rate_window = 60 where id = %s",
        stream,
    )
    return stream


async def test_a_streams_page_shows_its_past_its_pace_and_its_runs_as_they_go(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    stream = await an_import_under_way(world, org)
    page = await window(ada, f"/streams/{stream}")
    line = page.get_by_test_id("history-line")
    await expect(line).to_be_visible()
    before = int(await line.get_attribute("data-points") or 0)
    assert before >= 30
    await expect(page.get_by_text("No run has started yet.")).to_be_visible()

    run = AgentExecution(
        org_id=org, stream_id=stream, agent_id="reader", agent_name="Reader", status=AgentStatus.RUNNING
    )
    await world.insert(run, by=ada)
    await world.sql("update agent_executions set started_at = now() where id = %s", run.id)
    bar = live(page, "agent_executions", run.id, "bar")
    await expect(bar).to_have_attribute("data-value", "running")
    await world.sql("update agent_executions set status = 'completed', completed_at = now() where id = %s", run.id)
    await expect(bar).to_have_attribute("data-value", "completed")

    await world.sql("update streams set completed = 200 where id = %s", stream)
    await page.wait_for_function(
        "before => +document.querySelector('[data-testid=history-line]').dataset.points > before", arg=before
    )
    await expect(live(page, "streams", stream, "rate")).to_be_visible()
    await expect(live(page, "streams", stream, "eta")).to_contain_text("left")
    eta = await live(page, "streams", stream, "eta").get_attribute("data-value")
    other = await window(ada, f"/streams/{stream}")
    await expect(live(other, "streams", stream, "eta")).to_have_attribute("data-value", str(eta))

    await world.sql(
        "update streams set last_progress_at = now() - interval '2 h', progress_interval = 60 where id = %s", stream
    )
    await expect(live(page, "streams", stream, "stalled")).to_contain_text("Stalled for 2 h")


async def test_the_dashboard_tells_what_presses_what_runs_and_what_happened(world: World, window: SignedIn) -> None:
    org, other = await world.organization(), await world.organization()
    ada, eve = await world.person(org), await world.person(other)
    blocked = Stream(org_id=org, name="Blocked import", goal_status=GoalStatus.BLOCKED)
    fine = Stream(org_id=org, name="Fine import", goal_status=GoalStatus.ON_TRACK)
    for stream in (blocked, fine):
        await world.insert(stream, by=ada)
    await world.insert(Stream(org_id=other, name="Secret import", goal_status=GoalStatus.BLOCKED), by=eve)
    await world.sql(
        "insert into signal_alerts (org_id, user_id, target_name, signal_type, signal_strength) "
        "values (%s, %s, 'Pressing target', 'x', 95), (%s, %s, 'Mild target', 'x', 20)",
        org, ada.id, org, ada.id,
    )  # fmt: skip
    page = await window(ada, "/")
    attention = page.get_by_role("region", name="Needs attention")
    await expect(attention.get_by_text("Blocked import")).to_be_visible()
    await expect(attention.get_by_text("Fine import")).to_have_count(0)
    pressing = page.get_by_role("region", name="Urgent alerts")
    await expect(pressing.get_by_text("Pressing target")).to_be_visible()
    await expect(pressing.get_by_text("Mild target")).to_have_count(0)
    spark = live(page, "stats", "unread_alerts", "spark")
    await expect(spark).to_be_visible()
    values = [int(value) for value in (await spark.get_attribute("data-value") or "").split(",")]
    assert len(values) == 60
    assert values[-1] == 2
    assert values[0] == 0

    await world.sql("update streams set goal_status = 'at_risk' where id = %s", fine.id)
    await expect(attention.get_by_text("Fine import")).to_be_visible()
    await world.sql("update streams set goal_status = 'on_track' where id = %s", blocked.id)
    await expect(attention.get_by_text("Blocked import")).to_have_count(0)
    happened = page.get_by_role("region", name="Recent activity")
    await expect(happened.get_by_role("listitem").first).to_contain_text("Blocked import")
    await expect(happened.get_by_role("listitem").first).to_contain_text("On track")
    run = AgentExecution(
        org_id=org, stream_id=fine.id, agent_id="reader", agent_name="Reader", status=AgentStatus.RUNNING
    )
    await world.insert(run, by=ada)
    running = page.get_by_role("region", name="Running now")
    await expect(running.get_by_text("Reader")).to_be_visible()
    await world.sql("update agent_executions set status = 'completed', completed_at = now() where id = %s", run.id)
    await expect(running.get_by_text("No agent is running.")).to_be_visible()
    assert "Secret import" not in await page.content()
