"""Reported rows: a heartbeat is not an update of the run."""

from uuid import UUID

import pytest

from services.entities import AGENTS, SCANS, STREAMS
from tests.world import World

pytestmark = pytest.mark.integration


async def a_run(world: World, table: str) -> tuple[UUID, str]:
    """A run of the table, and the column with its name."""
    org = await world.organization()
    ((stream,),) = await world.sql("insert into streams (org_id, name) values (%s, 's') returning id", org)
    if table == "agent_executions":
        ((id,),) = await world.sql(
            "insert into agent_executions (org_id, stream_id, agent_id, agent_name) "
            "values (%s, %s, 'a', 'a') returning id",
            org,
            stream,
        )
        return id, "agent_name"
    ((id,),) = await world.sql(f"insert into {table} (org_id, name) values (%s, 'r') returning id", org)
    return id, "name"


@pytest.mark.parametrize("table", [STREAMS.table, SCANS.table, AGENTS.table])
async def test_a_heartbeat_is_broadcast_as_a_new_version_and_keeps_the_time_of_the_last_update(
    world: World, table: str
) -> None:
    id, name = await a_run(world, table)

    async def write(assignments: str) -> tuple[int, float]:
        statement = f"update {table} set heartbeat_at = clock_timestamp(), {assignments} where id = %s"
        ((version, updated_at),) = await world.sql(f"{statement} returning version, updated_at", id)
        return version, updated_at.timestamp()

    first_version, first_update = await write(f"{name} = 'renamed'")
    version, update = await write("heartbeat_interval = 5")
    assert version > first_version
    assert update == first_update
    _, update = await write(f"{name} = 'renamed again'")
    assert update > first_update


async def test_a_heartbeat_that_comes_with_progress_is_an_update(world: World) -> None:
    id, _ = await a_run(world, "streams")
    statement = "update streams set heartbeat_at = clock_timestamp(), {} where id = %s returning updated_at"
    ((first,),) = await world.sql(statement.format("completed = 1"), id)
    ((second,),) = await world.sql(statement.format("completed = 2"), id)
    assert second > first
