"""Fixtures of the tests of channels."""

import pytest

from tests.services.delivery.desk import Desk, a_desk
from tests.world import World


@pytest.fixture
async def desk(world: World) -> Desk:
    """Return an admin with a webhook in an organisation of their own."""
    return await a_desk(world)
