"""The watcher: what it finds of runs, once each, and how that ends."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from services.entities import AcquisitionScan, AgentExecution, AgentStatus, GoalStatus, ScanStatus, Stream
from services.errors import PermissionDenied
from services.operations.upkeep.presence import note_presence
from services.schedules.watcher import Watched, watch
from tests.world import World

pytestmark = pytest.mark.integration
TABLES = ("streams", "acquisition_scans", "agent_executions")


async def working(world: World, org: UUID) -> dict[str, UUID]:
    """Insert a run of each kind that goes on."""
    ada = await world.person(org)
    stream = Stream(org_id=org, name="Import", total=9, completed=3, goal_status=GoalStatus.ON_TRACK)
    scan = AcquisitionScan(org_id=org, name="Scan", status=ScanStatus.SCANNING, started_at=datetime.now(UTC))
    agent = AgentExecution(
        org_id=org, stream_id=stream.id, agent_id="a", agent_name="Agent", status=AgentStatus.RUNNING
    )
    for row in (stream, scan, agent):
        await world.insert(row, by=ada)
    return dict(zip(TABLES, (stream.id, scan.id, agent.id), strict=True))


async def incidents(world: World, org: UUID, columns: str = "kind, subject_table") -> list[Any]:
    return await world.sql(f"select {columns} from incidents where org_id = %s order by created_at, kind", org)


async def activities(world: World, org: UUID) -> list[Any]:
    """Read what the activity says of incidents."""
    return await world.sql(
        "select status, subject_table from activities where org_id = %s and incident_id is not null "
        "order by created_at, status, subject_table",
        org,
    )


async def silence(world: World, runs: dict[str, UUID], ago: str = "31 s") -> None:
    """Have runs be silent for some time, in which the app was there."""
    await note_presence(world.database)
    for table, id in runs.items():
        await world.sql(
            f"update {table} set heartbeat_at = clock_timestamp() - %s::interval, heartbeat_interval = 10 "
            "where id = %s", ago, id,
        )  # fmt: skip


async def test_a_silent_run_is_told_once_and_its_return_once(world: World) -> None:
    org, other = await world.organization(), await world.organization()
    runs, steady = await working(world, org), await working(world, other)
    await silence(world, runs)
    await silence(world, steady, "29 s")
    before = await world.sql("select version, updated_at from streams where id = %s", runs["streams"])
    await watch(world.database)
    await watch(world.database)
    assert sorted(await incidents(world, org)) == sorted(("unreachable", table) for table in TABLES)
    assert await incidents(world, other) == []
    assert await activities(world, org) == [("unreachable", table) for table in sorted(TABLES)]
    [[version, updated_at]] = await world.sql("select version, updated_at from streams where id = %s", runs["streams"])
    assert version > before[0][0]
    assert updated_at == before[0][1]  # it is no news of the work
    again = await watch(world.database)
    assert again is not None
    assert again.runs == 0
    for table, id in runs.items():
        await world.sql(f"update {table} set heartbeat_at = clock_timestamp() where id = %s", id)
        assert await world.sql(f"select incidents from {table} where id = %s", id) == [([],)]
    back = sorted(each for each in await activities(world, org) if each[0] == "recovered")
    assert back == [("recovered", table) for table in sorted(TABLES)]
    [[lasted]] = await world.sql(
        "select lasted_seconds from activities where org_id = %s and status = 'recovered' "
        "and subject_table = 'streams'", org,
    )  # fmt: skip
    assert 31 <= lasted < 60


async def test_a_run_that_ends_takes_its_incidents_with_it_without_a_word(world: World) -> None:
    org = await world.organization()
    runs = await working(world, org)
    await silence(world, runs)
    await watch(world.database)
    await world.sql("update streams set goal_status = 'blocked', finished_at = now() where id = %s", runs["streams"])
    assert await world.sql("select incidents from streams where id = %s", runs["streams"]) == [([],)]
    assert ("ended",) in await incidents(world, org, "recovery")
    assert [each for each in await activities(world, org) if each[0] == "recovered"] == []


async def test_a_run_without_progress_stalls_and_progress_ends_it(world: World) -> None:
    org = await world.organization()
    runs = await working(world, org)
    at = datetime.now(UTC) + timedelta(seconds=32)
    await world.sql("update streams set completed = 4 where id = %s", runs["streams"])
    await watch(world.database, at=datetime.now(UTC) + timedelta(seconds=20))
    assert await incidents(world, org) == []
    await watch(world.database, at=at)
    assert ("stalled", "streams") in await incidents(world, org)
    await world.sql("update streams set description = 'News, no progress' where id = %s", runs["streams"])
    assert await world.sql("select incidents from streams where id = %s", runs["streams"]) == [(["stalled"],)]
    await world.sql("update streams set completed = 5 where id = %s", runs["streams"])
    assert await world.sql("select incidents from streams where id = %s", runs["streams"]) == [([],)]


async def test_a_run_that_takes_twice_as_long_as_usual_and_a_minute_more_is_slow(world: World) -> None:
    org = await world.organization()
    runs = await working(world, org)
    await world.sql("update streams set usual_seconds = 100 where id = %s", runs["streams"])
    start = datetime.now(UTC)
    await watch(world.database, at=start + timedelta(seconds=195))
    assert ("slow", "streams") not in await incidents(world, org)
    await watch(world.database, at=start + timedelta(seconds=202))
    assert ("slow", "streams") in await incidents(world, org)


async def test_nobody_is_accused_of_the_absence_of_the_app(world: World) -> None:
    org = await world.organization()
    await note_presence(world.database)
    runs = await working(world, org)
    await silence(world, runs, "60 s")
    await world.sql("update private.app_presence set seen_at = clock_timestamp() - interval '58 s'")
    await watch(world.database)
    assert await incidents(world, org) == []
    await watch(world.database, at=datetime.now(UTC) + timedelta(seconds=9))
    assert await incidents(world, org) == []
    await watch(world.database, at=datetime.now(UTC) + timedelta(seconds=61))
    assert ("unreachable", "streams") in await incidents(world, org)


async def test_of_several_watchers_one_looks_and_each_event_is_written_once(world: World) -> None:
    org = await world.organization()
    runs = await working(world, org)
    await silence(world, runs)
    found = await asyncio.gather(*(watch(world.database) for _ in range(6)))
    assert sum(each.runs for each in found if isinstance(each, Watched)) == len(TABLES)
    assert len(await incidents(world, org)) == len(TABLES)
    assert len(await activities(world, org)) == len(TABLES)


async def test_members_see_the_incidents_of_their_organisations_alone_and_write_none(world: World) -> None:
    org, other = await world.organization(), await world.organization()
    await silence(world, await working(world, org))
    await watch(world.database)
    ada, eve = await world.person(org), await world.person(other)
    for person, count in ((ada, len(TABLES)), (eve, 0)):
        async with world.database.as_user(person.identity) as session:
            result = await (await session.connection()).execute(text("select count(*) from public.incidents"))
            assert result.scalar_one() == count
    with pytest.raises(PermissionDenied):
        async with world.database.as_user(ada.identity) as session:
            await (await session.connection()).execute(text("delete from public.incidents"))
    async with world.database.as_user(ada.identity) as session:
        await (await session.connection()).execute(
            text("update public.streams set incidents = '{}' where org_id = :org"), {"org": org}
        )
    assert await world.sql("select incidents from streams where org_id = %s", org) == [(["unreachable"],)]


async def test_a_run_begins_without_incidents_whatever_its_writer_says(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    stream = Stream(org_id=org, name="Import", goal_status=GoalStatus.ON_TRACK, incidents=["overdue"])
    await world.insert(stream, by=ada)
    assert await world.sql("select incidents from streams where id = %s", stream.id) == [([],)]
    assert await incidents(world, org) == []
