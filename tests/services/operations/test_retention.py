"""Retention: expired rows are deleted after their organisation's period, in batches, and active runs never."""

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.errors import PermissionDenied
from services.operations.upkeep.retention import Retention, delete_expired
from services.people.models import Role
from services.realtime import RealtimeService
from services.results.artefact_files import DirectoryFiles
from tests.speed import deadline
from tests.world import World, until

pytestmark = pytest.mark.integration


async def a_run(world: World, org: UUID, *, days: int, status: str = "completed") -> UUID:
    """Create a stream with a run of an agent, both of which ended that many days ago or are active."""
    stream, run = uuid4(), uuid4()
    ended = f"now() - interval '{days} days'"
    # One statement, because the deletion may run concurrently.
    await world.sql(
        "with stream as (insert into streams (id, org_id, name, goal_status, finished_at) "
        f"values (%s, %s, 's', %s, {ended})) "
        "insert into agent_executions (id, org_id, stream_id, agent_id, agent_name, status, started_at, completed_at) "
        f"values (%s, %s, %s, 'a', 'a', %s, {ended}, {ended if status != 'running' else 'null'})",
        stream,
        org,
        status if status != "running" else "in_progress",
        run,
        org,
        stream,
        status,
    )
    return stream


async def left(world: World, org: UUID) -> dict[str, int]:
    tables = ("streams", "agent_executions", "signal_alerts", "notifications", "activities", "log_lines")
    counts = ", ".join(f"'{table}', (select count(*) from {table} where org_id = %s)" for table in tables)
    [(told,)] = await world.sql(f"select json_build_object({counts})", *[org] * len(tables))
    return dict(told if isinstance(told, dict) else json.loads(told))


async def test_what_ended_long_ago_goes_and_what_runs_or_is_young_stays(world: World) -> None:
    org = await world.organization()
    old = await a_run(world, org, days=91)
    young = await a_run(world, org, days=89)
    running = await a_run(world, org, days=400, status="running")
    await forget_everything(world)
    rows = await world.sql("select id from streams where org_id = %s", org)
    assert {row[0] for row in rows} == {young, running}
    assert not await world.sql("select 1 from agent_executions where stream_id = %s", old)
    assert (await left(world, org))["agent_executions"] == 2


async def test_an_organisation_says_how_long_and_null_is_for_ever(world: World) -> None:
    brief, for_ever = await world.organization(), await world.organization()
    admin = await world.person(brief, for_ever, role=Role.ADMIN)
    async with world.database.as_user(admin.identity) as session:
        connection = await session.connection()
        await connection.exec_driver_sql(
            "insert into retention (org_id, runs_days, alerts_days, events_days) "
            "values (%s, 1, 1, 1), (%s, null, null, null)",
            (brief, for_ever),
        )
    for org in (brief, for_ever):
        stream = await a_run(world, org, days=2)
        await world.sql(
            "insert into signal_alerts (org_id, user_id, target_name, signal_type, signal_strength, detected_at) "
            "values (%s, %s, 't', 's', 50, now() - interval '2 days')",
            org,
            admin.id,
        )
        await world.sql(
            "insert into notifications (org_id, user_id, type, title, message) values (%s, %s, 'info', 't', '')",
            org,
            admin.id,
        )
        await world.sql(
            "insert into log_lines (org_id, run_id, message, at) values (%s, %s, 'm', now() - interval '2 days')",
            org,
            stream,
        )
        await world.sql("alter table notifications disable trigger stamp_row")
        await world.sql("update notifications set created_at = now() - interval '2 days' where org_id = %s", org)
        await world.sql("alter table notifications enable trigger stamp_row")
    await forget_everything(world)
    kept = await left(world, brief)
    assert {name: count for name, count in kept.items() if name != "activities"} == {
        "streams": 0,
        "agent_executions": 0,
        "signal_alerts": 0,
        "notifications": 0,
        "log_lines": 0,
    }
    assert min((await left(world, for_ever)).values()) >= 1


async def test_it_goes_in_parts(world: World) -> None:
    org = await world.organization()
    for _ in range(5):
        await a_run(world, org, days=1000)
    before = (await left(world, org))["agent_executions"]
    counts = await delete_expired(world.database, limit=2)
    assert max(counts.values()) == 2
    assert (await left(world, org))["agent_executions"] >= before - 2


async def test_only_an_admin_says_how_long(world: World) -> None:
    org = await world.organization()
    for role in (Role.VIEWER, Role.OPERATOR):
        person = await world.person(org, role=role)
        with pytest.raises(PermissionDenied):
            async with world.database.as_user(person.identity) as session:
                await (await session.connection()).exec_driver_sql("insert into retention (org_id) values (%s)", (org,))
    stranger = await world.person(await world.organization(), role=Role.ADMIN)
    with pytest.raises(PermissionDenied):
        async with world.database.as_user(stranger.identity) as session:
            await (await session.connection()).exec_driver_sql("insert into retention (org_id) values (%s)", (org,))


async def test_windows_see_it_go(world: World, realtime: RealtimeService) -> None:
    org = await world.organization()
    ada = await world.person(org)
    await a_run(world, org, days=91)
    gone: list[Any] = []
    subscription = realtime.subscribe_to_all_streams(
        org, session=ada, on_change=lambda deltas: gone.extend(delta for delta in deltas if delta.new is None)
    )
    await until(lambda: subscription.is_loaded)
    await forget_everything(world)
    await until(lambda: gone)


async def test_it_is_done_by_itself_and_goes_on_after_a_failure(world: World) -> None:
    org = await world.organization()
    async with Retention(world.database, DirectoryFiles(world.data / "artefacts"), interval=0.05):
        for _ in range(2):
            stream = await a_run(world, org, days=91)
            await until(lambda id=stream: gone(world, id), within=10)  # type: ignore[misc]


async def gone(world: World, id: UUID) -> bool:
    return not await world.sql("select 1 from streams where id = %s", id)


async def forget_everything(world: World) -> None:
    async with asyncio.timeout(deadline(30)):
        while any((await delete_expired(world.database)).values()):
            pass
