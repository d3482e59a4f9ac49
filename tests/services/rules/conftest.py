"""Fixtures of the tests of rules."""

from collections.abc import AsyncIterator

import pytest

from services.people.models import Role
from services.rules.engine import RuleEngine
from tests.services.rules.desk import ADDRESS, Desk
from tests.world import World


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    org = await world.organization()
    ada, eve = await world.person(org, role=Role.ADMIN), await world.person(org, role=Role.VIEWER)
    await world.sql("update rules set is_enabled = false where org_id = %s", org)
    async with RuleEngine(world.database, address=ADDRESS, interval=3600) as engine:
        yield Desk(world, engine, org, ada, eve)
