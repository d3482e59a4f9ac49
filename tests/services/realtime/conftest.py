"""Fixtures: a subscription on a new organisation, over the TCP proxy or the WebSocket proxy."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.proxies import FrameProxy, TcpProxy
from tests.services.realtime.watch import Watch, nothing_left, watching
from tests.world import World


@pytest.fixture
async def watch(world: World, proxy: TcpProxy, request: pytest.FixtureRequest) -> AsyncIterator[Watch]:
    """Over the TCP proxy, by broadcast unless the test asks for more; afterwards no task and no socket is left."""
    before = set(asyncio.all_tasks())
    watch = await watching(world, proxy.url, *getattr(request, "param", ()))
    yield watch
    await watch.service.aclose()
    await nothing_left(before, lambda: proxy.connections)


@pytest.fixture
async def frames(world: World) -> AsyncIterator[FrameProxy]:
    async with FrameProxy.to(world.status.api_url) as proxy:
        yield proxy


@pytest.fixture
async def framed(world: World, frames: FrameProxy) -> AsyncIterator[Watch]:
    """Over the WebSocket proxy, by broadcast; afterwards no task and no socket is left."""
    before = set(asyncio.all_tasks())
    watch = await watching(world, frames.url)
    yield watch
    await watch.service.aclose()
    await nothing_left(before, lambda: frames.connections)
