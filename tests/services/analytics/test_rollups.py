"""Roll-ups equal a recount of the runs, whatever happens to them and whenever their changes are folded."""

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.operations.upkeep.retention import delete_expired
from services.operations.upkeep.rollups import fold_rollups
from tests.world import World

pytestmark = pytest.mark.integration

# What the tables hold, without the notes of changes: the oracle.
RECOUNT = """
    select grain, coalesce(job, '00000000-0000-0000-0000-000000000000'), measure,
        case grain when 'quarter' then date_bin('15 minutes', at, 'epoch')
            else date_trunc(grain, at, 'UTC') end, kind,
        case grain when 'month' then 0 else bin end, sum(count)
    from (
        select 'streams' as kind, org_id, job_id, private.facts(one.*) as facts from streams as one
        union all select 'scans', org_id, job_id, private.facts(one.*) from acquisition_scans as one
        union all select 'agents', org_id, job_id, private.facts(one.*) from agent_executions as one
    ) as run
    cross join lateral private.measures_of(facts) as each
    cross join unnest(array['quarter', 'day', 'week', 'month']) as grain
    cross join lateral (select null::uuid as job union all select run.job_id where run.job_id is not null) as jobs
    where org_id = %s and (grain <> 'month' or job is not null and measure in ('succeeded', 'failed', 'stopped'))
        and (grain <> 'week' or job is null)
    group by 1, 2, 3, 4, 5, 6 having sum(count) <> 0
"""
ROLLED = """
    select grain, job_id, measure, at, kind, bin, count from run_rollups where org_id = %s and grain <> 'minute'
"""
MINUTES = "select measure, at, kind, bin, count from run_rollups where org_id = %s and grain = 'minute' and job_id = %s"
EVERY_JOB = UUID(int=0)
NOW = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
"""Just before clocks in Europe change."""


async def fold(world: World) -> None:
    while await fold_rollups(world.database):
        pass


async def equal_to_recount(world: World, org: UUID) -> int:
    await fold(world)
    rolled = sorted(await world.sql(ROLLED, org))
    assert rolled == sorted(await world.sql(RECOUNT, org))
    return len(rolled)


async def change(world: World, org: UUID, dice: random.Random) -> None:
    """Do one thing that happens to runs."""
    moment = NOW + timedelta(minutes=dice.randint(-3000, 3000))
    later = moment + timedelta(seconds=dice.choice([-5, 0, 0.01, 90, 4000, 90_000]))
    status = dice.choice(["completed", "failed", "cancelled"])
    picked = "id in (select id from agent_executions where org_id = %s order by md5(id::text || %s) limit %s)"
    match dice.randint(0, 7):
        case 0 | 1:
            await world.sql(
                "insert into agent_executions (org_id, stream_id, slug, agent_id, agent_name, status, created_at, "
                "started_at, completed_at) select org_id, id, %s, 'reader', 'Reader', %s, %s, %s, %s from streams "
                "where org_id = %s limit 1",
                f"reader-{dice.randint(0, 2)}@{dice.getrandbits(48):x}", status, moment, later, later, org,
            )  # fmt: skip
        case 2:
            await world.sql(
                "insert into agent_executions (org_id, stream_id, agent_id, agent_name, status, created_at) "
                "select org_id, id, 'reader', 'Reader', 'pending', %s from streams where org_id = %s limit 1",
                moment, org,
            )  # fmt: skip
        case 3:
            await world.sql(
                f"update agent_executions set status = 'running', started_at = %s where not is_finished and {picked}",
                later, org, dice.random(), 3,
            )  # fmt: skip
        case 4:
            await world.sql(
                f"update agent_executions set status = %s, completed_at = %s where not is_finished and {picked}",
                status, later, org, dice.random(), 3,
            )  # fmt: skip
        case 5:
            await world.sql(f"delete from agent_executions where {picked}", org, dice.random(), 2)
        case 6:
            goal = dice.choice(["not_started", "in_progress", "blocked", "completed", "cancelled"])
            await world.sql("update streams set goal_status = %s where org_id = %s", goal, org)
        case _:
            await world.sql(
                "insert into acquisition_scans (org_id, name, status, started_at, completed_at) values (%s, 'S', %s, "
                "%s, %s)", org, dice.choice(["configuring", "scanning", "completed", "failed"]), moment, later,
            )  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
async def test_rollups_equal_a_recount_after_any_history(world: World, seed: int) -> None:
    dice = random.Random(seed)
    org, other = await world.organization(), await world.organization()
    for each in (org, other):
        await world.sql("insert into streams (org_id, slug, name) values (%s, 'nightly', 'Nightly')", each)
    for step in range(60):
        await change(world, dice.choice([org, org, other]), dice)
        if step % 20 == 0:
            await fold(world)
    assert await equal_to_recount(world, org) > 10
    await equal_to_recount(world, other)
    before = sorted(await world.sql(ROLLED, org))
    await world.sql("select private.recount_rollups()")
    assert sorted(await world.sql(ROLLED, org)) == before


async def test_what_runs_count_for(world: World) -> None:
    org = await world.organization()
    ((stream,),) = await world.sql("insert into streams (org_id, name) values (%s, 'S') returning id", org)
    created, began, ended = (NOW + timedelta(minutes=minutes) for minutes in (0, 1, 61))
    await world.sql("delete from run_rollup_changes")
    await world.sql(
        "insert into agent_executions (org_id, stream_id, agent_id, agent_name, status, created_at, started_at, "
        "completed_at) values (%s, %s, 'a', 'A', 'failed', %s, %s, %s)",
        org, stream, created, began, ended,
    )  # fmt: skip
    rows = await world.sql(
        "select measure, at, bin, count from run_rollup_changes where org_id = %s order by at, measure, count", org
    )
    hour_bin = 197
    """An hour lies between 1.08 ** 196 and 1.08 ** 197 ms."""
    assert 1.08 ** (hour_bin - 1) < 3_600_000 <= 1.08**hour_bin
    assert rows == [
        ("queue", created, 0, 1), ("queue", began, 0, -1), ("running", began, 0, 1),
        ("failed", ended, hour_bin, 1), ("running", ended, 0, -1),
    ]  # fmt: skip


async def test_progress_and_heartbeats_write_no_note(world: World) -> None:
    org = await world.organization()
    await world.sql("insert into streams (org_id, name, goal_status, total) values (%s, 'S', 'on_track', 9)", org)
    count = "select count(*) from run_rollup_changes where org_id = %s"
    before = await world.sql(count, org)
    await world.sql("update streams set completed = 5, heartbeat_at = now(), name = 'T' where org_id = %s", org)
    assert await world.sql(count, org) == before


async def test_minutes_are_kept_for_two_days_and_expired_runs_go_on_counting(world: World) -> None:
    org = await world.organization()
    ((stream,),) = await world.sql("insert into streams (org_id, name) values (%s, 'S') returning id", org)
    for age in ("1 hour", "50 hours", "400 days"):
        await world.sql(
            "insert into agent_executions (org_id, stream_id, agent_id, agent_name, status, created_at, started_at, "
            "completed_at) select %s, %s, 'a', 'A', 'failed', now() - age, now() - age, now() - age "
            "from cast(%s as interval) as age",
            org, stream, age,
        )  # fmt: skip
    await fold(world)
    failures = [row for row in await world.sql(MINUTES, org, EVERY_JOB) if row[0] == "failed"]
    assert len(failures) == 1
    rolled = sorted(await world.sql(ROLLED, org))
    while any((await delete_expired(world.database)).values()):
        pass
    assert await world.sql("select count(*) from agent_executions where org_id = %s", org) == [(2,)]
    await fold(world)
    assert sorted(await world.sql(ROLLED, org)) == rolled
    await world.sql("delete from agent_executions where org_id = %s", org)
    await fold(world)
    left = {row[0] for row in await world.sql(ROLLED, org) if row[2] == "failed"}
    assert left == {"quarter", "day", "week"}, "those that retention deleted"


async def test_members_see_the_rollups_of_their_organisation_alone(world: World) -> None:
    org, other = await world.organization(), await world.organization()
    ada = await world.person(org)
    for each in (org, other):
        await world.sql("insert into streams (org_id, name, goal_status) values (%s, 'S', 'completed')", each)
    await fold(world)
    await world.sql("insert into streams (org_id, name, goal_status) values (%s, 'T', 'completed')", other)
    for table in ("run_rollups", "run_rollup_changes"):
        seen = await world.database.call(
            ada.identity, f"select coalesce(jsonb_agg(distinct org_id), '[]') from public.{table}", {}
        )
        assert set(seen) <= {str(org)}, table
    assert await world.database.call(ada.identity, "select count(*) from public.run_rollups", {}) > 0


async def test_truncated_tables_and_deleted_organisations_leave_nothing(world: World) -> None:
    org = await world.organization()
    await world.sql("insert into acquisition_scans (org_id, name, status) values (%s, 'S', 'scanning')", org)
    await fold(world)
    assert await world.sql("select 1 from run_rollups where org_id = %s and kind = 'scans'", org)
    await world.sql("insert into acquisition_scans (org_id, name, status) values (%s, 'S', 'scanning')", org)
    await world.sql("truncate acquisition_scans cascade")
    assert not await world.sql("select 1 from run_rollups where kind = 'scans'")
    assert not await world.sql("select 1 from run_rollup_changes where kind = 'scans'")
    await world.sql("insert into streams (org_id, name) values (%s, 'S')", org)
    await fold(world)
    await world.sql("delete from organizations where id = %s", org)
    await fold(world)
    assert not await world.sql("select 1 from run_rollups where org_id = %s", org)
    assert not await world.sql("select 1 from run_rollup_changes where org_id = %s", org)
