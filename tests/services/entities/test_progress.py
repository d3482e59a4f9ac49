"""Rate, estimates, stalls and history, as computed by the database and the models."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from services.entities import AgentStatus, GoalStatus, Stream
from tests.world import World

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def stream(**fields: Any) -> Stream:
    known = {"goal_status": GoalStatus.ON_TRACK, "completed": 40, "total": 100, "last_progress_at": NOW}
    return Stream.model_validate({"org_id": uuid4(), "name": "s", **known, **fields})


def test_the_time_to_go_counts_from_the_last_progress() -> None:
    assert stream(rate=2.0, rate_window=30.0).done_at == NOW + timedelta(seconds=30)


@pytest.mark.parametrize(
    "fields",
    [
        {"rate": None},
        {"rate": 0.0},
        {"rate_window": 0.2},
        {"completed": 100},
        {"completed": 120},
        {"total": 0},
        {"goal_status": GoalStatus.COMPLETED},
        {"goal_status": GoalStatus.BLOCKED},
        {"rate": 1e-300},
    ],
)
def test_there_is_no_time_to_go_without_a_rate_or_something_to_do(fields: dict[str, Any]) -> None:
    assert stream(**{"rate": 2.0, "rate_window": 30.0, **fields}).done_at is None


@pytest.mark.integration
async def test_the_rate_is_what_was_done_by_the_time_it_took(world: World) -> None:
    id = await a_stream(world)
    await advance(world, id, by=20, after=10)
    ((rate, window, interval),) = await world.sql(
        "select rate, rate_window, progress_interval from streams where id = %s", id
    )
    assert (rate, window, interval) == pytest.approx((2.0, 10.0, 10.0), rel=0.05)


@pytest.mark.integration
async def test_a_burst_counts_as_what_it_brought_and_old_speed_is_forgotten(world: World) -> None:
    id = await a_stream(world)
    await advance(world, id, by=60, after=60)
    for _ in range(20):
        await advance(world, id, by=1, after=0)
    ((rate,),) = await world.sql("select rate from streams where id = %s", id)
    assert rate == pytest.approx(80 / 60, rel=0.05)
    for _ in range(8):
        await advance(world, id, by=600, after=60)
    ((rate,),) = await world.sql("select rate from streams where id = %s", id)
    assert rate == pytest.approx(10, rel=0.05)


@pytest.mark.integration
async def test_counting_anew_forgets_the_rate(world: World) -> None:
    id = await a_stream(world)
    await advance(world, id, by=20, after=10)
    await world.sql("update streams set completed = 0 where id = %s", id)
    assert await world.sql("select rate, rate_window from streams where id = %s", id) == [(None, None)]


@pytest.mark.integration
async def test_nobody_sets_the_rate_by_hand(world: World) -> None:
    id = await a_stream(world)
    await world.sql("update streams set rate = 99, rate_window = 99 where id = %s", id)
    assert await world.sql("select rate, rate_window from streams where id = %s", id) == [(None, None)]


@pytest.mark.integration
async def test_a_scan_has_a_rate_from_its_start_on(world: World) -> None:
    org = await world.organization()
    ((id,),) = await world.sql(
        "insert into acquisition_scans (org_id, name, status, started_at) "
        "values (%s, 'scan', 'scanning', now() - interval '20 seconds') returning id",
        org,
    )
    await world.sql("update acquisition_scans set progress_percentage = 10 where id = %s", id)
    ((rate,),) = await world.sql("select rate from acquisition_scans where id = %s", id)
    assert rate == pytest.approx(0.5, rel=0.05)


@pytest.mark.integration
async def test_history_is_kept_a_second_apart_and_ends_at_the_end(world: World) -> None:
    id = await a_stream(world)
    for step in range(1, 11):
        await world.sql("update streams set completed = %s where id = %s", step * 10_000, id)
    points = await world.sql("select done from progress_points where subject_id = %s order by at", id)
    assert points[0] == (0,)
    assert points[-1] == (100_000,)
    assert len(points) <= 4
    await world.sql("delete from streams where id = %s", id)
    assert not await world.sql("select 1 from progress_points where subject_id = %s", id)


@pytest.mark.integration
async def test_history_is_seen_by_members_only(world: World) -> None:
    id = await a_stream(world)
    ((org,),) = await world.sql("select org_id from streams where id = %s", id)
    member, stranger = await world.person(org), await world.person(await world.organization())
    for person, seen in ((member, 1), (stranger, 0)):
        async with world.database.as_user(person.identity) as transaction:
            for table, column in (("progress_points", "subject_id"), ("activities", "subject_id")):
                rows = await transaction.connection()
                found = (await rows.exec_driver_sql(f"select 1 from {table} where {column} = '{id}'")).all()
                assert len(found) == seen


@pytest.mark.integration
@pytest.mark.parametrize("change", ["status = 'scanning'", "progress_percentage = 12", "completed_at = now()"])
async def test_a_finished_scan_is_never_rewritten(world: World, change: str) -> None:
    org = await world.organization()
    ((id,),) = await world.sql(
        "insert into acquisition_scans (org_id, name, status, completed_at) "
        "values (%s, 'scan', 'completed', now() - interval '1 hour') returning id",
        org,
    )
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="has finished"):
        await world.sql(f"update acquisition_scans set {change} where id = %s", id)
    await world.sql("update acquisition_scans set name = 'renamed' where id = %s", id)


@pytest.mark.integration
@pytest.mark.parametrize("status", [AgentStatus.COMPLETED, AgentStatus.FAILED, AgentStatus.CANCELLED])
async def test_a_finished_agent_keeps_its_status_and_its_duration(world: World, status: AgentStatus) -> None:
    id = await a_stream(world)
    ((agent,),) = await world.sql(
        "insert into agent_executions (org_id, stream_id, agent_id, agent_name, status, duration_ms) "
        "select org_id, id, 'a', 'a', %s, 5 from streams where id = %s returning id",
        status.value,
        id,
    )
    for change in ("status = 'running'", "duration_ms = 6"):
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
            await world.sql(f"update agent_executions set {change} where id = %s", agent)


@pytest.mark.integration
async def test_activities_tell_every_status_taken_and_nothing_else(world: World) -> None:
    id = await a_stream(world)
    ((org,),) = await world.sql("select org_id from streams where id = %s", id)
    await world.sql("update streams set completed = 1 where id = %s", id)
    await world.sql("update streams set goal_status = 'blocked' where id = %s", id)
    ((scan,),) = await world.sql(
        "insert into acquisition_scans (org_id, stream_id, name) values (%s, %s, 'scan') returning id", org, id
    )
    await world.sql("update acquisition_scans set status = 'scanning' where id = %s", scan)
    told = await world.sql(
        "select subject_table, subject_name, previous_status, status from activities where stream_id = %s "
        "order by version",
        id,
    )
    assert told == [
        ("streams", "s", None, "in_progress"),
        ("streams", "s", "in_progress", "blocked"),
        ("acquisition_scans", "scan", "configuring", "scanning"),
    ]


async def a_stream(world: World) -> UUID:
    org = await world.organization()
    ((id,),) = await world.sql(
        "insert into streams (org_id, name, goal_status, total, last_progress_at) "
        "values (%s, 's', 'in_progress', 100000, now()) returning id",
        org,
    )
    return UUID(str(id))


async def advance(world: World, id: UUID, *, by: int, after: float) -> None:
    """Advance `by` units, `after` seconds after the previous step, which is moved into the past."""
    if after:
        await world.sql(
            "update streams set last_progress_at = clock_timestamp() - make_interval(secs => %s) where id = %s",
            after,
            id,
        )
    await world.sql("update streams set completed = completed + %s where id = %s", by, id)
