"""Feeds read their rows in an order that an index has: their cost does not grow with all that was ever reported."""

import json
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from services.entities import ENTITIES, Entity
from tests.world import World

pytestmark = pytest.mark.integration


def nodes(plan: dict[str, Any]) -> list[str]:
    """Return the types of all nodes of a plan."""
    return [plan["Node Type"], *(each for child in plan.get("Plans", ()) for each in nodes(child))]


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.table)
async def test_the_rows_of_a_feed_are_not_sorted(world: World, entity: Entity[Any]) -> None:
    wanted = f"select * from public.{entity.table} where {entity.scope}_id = %s order by {entity.order} limit 10"
    async with await psycopg.AsyncConnection.connect(world.status.database_url.get_secret_value()) as connection:
        # In a small table PostgreSQL would sort in any case.
        await connection.execute("set local enable_sort = off")
        cursor = await connection.execute(f"explain (format json) {wanted}".encode(), (uuid4(),))
        row = await cursor.fetchone()
    assert row is not None
    (found,) = row[0] if isinstance(row[0], list) else json.loads(row[0])
    assert not {"Sort", "Incremental Sort"}.intersection(nodes(found["Plan"])), found
