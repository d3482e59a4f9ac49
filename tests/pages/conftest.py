"""Fixtures: a program of a new organisation, and the API that it reports to."""

from collections.abc import AsyncIterator

import httpx
import pytest

from services.infra.rate_limiter import Rate
from tests.pages.program import Program, a_program, application, client
from tests.world import World


@pytest.fixture
async def api(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with client(application(world, world.database, Rate(per_second=10_000, burst=10_000))) as each:
        yield each


@pytest.fixture
async def program(world: World, api: httpx.AsyncClient) -> Program:
    return await a_program(world, api)


@pytest.fixture(scope="session")
async def refused_program(world: World) -> AsyncIterator[Program]:
    """Yield one program for all rejected requests, which leave nothing behind."""
    async with client(application(world, world.database, Rate(per_second=10_000, burst=10_000))) as api:
        yield await a_program(world, api)
