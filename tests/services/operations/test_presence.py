"""Absence of the app: whoever reported until it went away has time to report again."""

from typing import Any
from uuid import UUID

import pytest

from services.entities import AGENTS, SCANS, STREAMS, Entity
from services.operations.upkeep.presence import note_presence
from services.operations.upkeep.retention import end_unreachable
from services.schedules.watcher import watch
from tests.services.history.test_tidying import one_of_each
from tests.world import World

pytestmark = pytest.mark.integration
ENTITIES: dict[str, Entity[Any]] = {each.table: each for each in (STREAMS, SCANS, AGENTS)}


async def reported(world: World, org: UUID, ago: str) -> dict[str, UUID]:
    """Insert a run of each kind that reported last some time ago, and promised to do so every 10 s."""
    runs = await one_of_each(world, org)
    for table, id in runs.items():
        await world.sql(
            f"update {table} set heartbeat_at = now() - %s::interval, heartbeat_interval = 10 where id = %s", ago, id
        )
    return runs


async def unreachable(world: World, runs: dict[str, UUID]) -> list[bool]:
    await watch(world.database)
    found = []
    for table, id in runs.items():
        [[record]] = await world.sql(f"select to_jsonb(run) from {table} as run where id = %s", id)
        found.append(ENTITIES[table].model.read(record).is_unreachable)
    return found


async def test_who_reported_until_the_app_went_away_gets_a_full_deadline(world: World) -> None:
    org = await world.organization()
    await note_presence(world.database)
    lost = await reported(world, org, "200 s")
    await note_presence(world.database)  # no absence: nothing is excused
    assert await unreachable(world, lost) == [True] * 3
    steady = await reported(world, org, "80 s")
    await world.sql("update private.app_presence set seen_at = now() - interval '70 s'")
    [before] = await world.sql("select updated_at from streams where id = %s", steady["streams"])
    await note_presence(world.database)
    assert await world.sql("select updated_at from streams where id = %s", steady["streams"]) == [before]
    assert await unreachable(world, steady) == [False] * 3
    assert await unreachable(world, lost) == [True] * 3
    for table, id in steady.items():
        await world.sql(f"update {table} set reportable_since = now() - interval '31 s' where id = %s", id)
    assert await unreachable(world, steady) == [True] * 3


async def test_an_absence_of_weeks_ends_no_run(world: World) -> None:
    org = await world.organization()
    await note_presence(world.database)
    runs = await reported(world, org, "20 days")
    await world.sql("update private.app_presence set seen_at = now() - interval '20 days'")
    await note_presence(world.database)
    await end_unreachable(world.database)
    for table, id in runs.items():
        assert await world.sql(f"select is_finished from {table} where id = %s", id) == [(False,)]


async def test_a_short_restart_accuses_nobody_who_reports_often(world: World) -> None:
    org = await world.organization()
    await note_presence(world.database)
    often = await reported(world, org, "16 s")
    for table, id in often.items():
        await world.sql(f"update {table} set heartbeat_interval = 4 where id = %s", id)
    await world.sql("update private.app_presence set seen_at = clock_timestamp() - interval '15 s'")
    await note_presence(world.database)
    assert await unreachable(world, often) == [False] * 3, "the app was away for 15 of the 16 s"
