"""Feeds read their rows in an order that an index has: their cost does not grow with all that was ever reported."""

import json
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from services.entities import ENTITIES, Entity
from services.realtime.source import rows_on
from tests.world import World

pytestmark = pytest.mark.integration


def nodes(plan: dict[str, Any]) -> list[str]:
    """Return the types of all nodes of a plan."""
    return [plan["Node Type"], *(each for child in plan.get("Plans", ()) for each in nodes(child))]


def appended(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the parts of a plan that put rows of several statements together."""
    return [
        found
        for child in plan.get("Plans", ())
        for found in ([child] if child["Node Type"] == "Append" else appended(child))
    ]


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.table)
async def test_the_rows_of_a_feed_are_not_sorted(world: World, entity: Entity[Any]) -> None:
    wanted = f"select * from {rows_on(entity)}".replace(":scope_id", "%(scope)s")
    async with await psycopg.AsyncConnection.connect(world.status.database_url.get_secret_value()) as connection:
        # In a small table PostgreSQL would sort in any case.
        await connection.execute("set local enable_sort = off")
        cursor = await connection.execute(f"explain (format json) {wanted}".encode(), {"scope": uuid4()})
        row = await cursor.fetchone()
    assert row is not None
    (found,) = row[0] if isinstance(row[0], list) else json.loads(row[0])
    plan = found["Plan"]
    if entity.unfinished_first:
        # Of each kind at most as many as the feed holds are sorted together.
        (plan,) = [plan] if plan["Node Type"] == "Append" else appended(plan)
    assert not {"Sort", "Incremental Sort"}.intersection(nodes(plan)), found
