"""Shared fixtures: one local Supabase per session, in which each test creates users and organisations; a browser."""

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from playwright.async_api import Browser, async_playwright
from pydantic import SecretStr

from local_supabase.process import LocalSupabase
from local_supabase.realtime.protocol.limits import Limits
from services.auth import client
from services.auth.client import Auth
from services.feed_kind import FeedKind
from services.infra import database
from services.infra.backend import APP_ROLE, DEMO_EMAIL, MIGRATIONS
from services.infra.database import Database
from services.operations import readiness
from services.realtime import TRANSPORTS, DatabaseSource, RealtimeService
from services.realtime.supervision import probe, supervisor
from services.realtime.transports import link
from tests.browser import ADVICE, FLAGS, find
from tests.proxies import TcpProxy
from tests.speed import TEST_SECONDS, deadline, product_timeout, relax_assertions
from tests.world import World

pytest_plugins = ["tests.failures"]
GRACE_SECONDS = 30
"""Additional time for the fixtures of a cancelled test."""
MAX_TEST_SECONDS = 420
PRODUCT_TIMEOUTS = {
    client: ["REQUEST_TIMEOUT_SECONDS"],
    database: ["CONNECT_TIMEOUT_SECONDS"],
    readiness: ["CHECK_TIMEOUT_SECONDS"],
    link: ["JOIN_TIMEOUT_SECONDS"],
    probe: ["PROBE_TIMEOUT_SECONDS"],
    supervisor: ["HANDOVER_TIMEOUT_SECONDS"],
}


def pytest_configure() -> None:
    relax_assertions()
    # Each test has a limit of its own; a loaded machine needs the 0.2 s of Hypothesis for any example.
    settings.register_profile("loaded", deadline=None)
    settings.load_profile("loaded")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Add a timeout to every test; an async test is cancelled inside its event loop, which later tests reuse.

    Tests that last begin first: they wait more than they work, and would be waited for at the end.
    """
    items.sort(key=lambda item: item.get_closest_marker("lasting") is None)
    limit = min(deadline(TEST_SECONDS), MAX_TEST_SECONDS)
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(limit + GRACE_SECONDS))
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            item.obj = _limited(item.obj, limit)


def _limited(test: Callable[..., Awaitable[None]], seconds: float) -> Callable[..., Awaitable[None]]:
    @functools.wraps(test)
    async def limited(*args: object, **kwargs: object) -> None:
        async with asyncio.timeout(seconds):
            await test(*args, **kwargs)

    return limited


@pytest.fixture(scope="session", autouse=True)
def unhurried_product() -> Iterator[None]:
    """Extend the product's timeouts in this process, so that they expire for faults and not on a busy machine."""
    with pytest.MonkeyPatch.context() as patch:
        for module, names in PRODUCT_TIMEOUTS.items():
            for name in names:
                seconds = getattr(module, name)
                patch.setattr(module, name, type(seconds)(product_timeout(seconds)))
        yield


def unhurried_limits() -> dict[str, float]:
    """Extend the limits of Realtime on clients that stand still, which a busy machine makes of any."""
    limits = Limits()
    return {name: product_timeout(getattr(limits, name)) for name in ("reader_wait", "send_timeout")}


@asynccontextmanager
async def a_world() -> AsyncIterator[World]:
    """Run a local Supabase with nothing in it but the demo's user."""
    # Outside pytest's own folder, which is not accessible to PostgreSQL's user if pytest runs as root.
    folder = TemporaryDirectory(prefix="livewatch-", ignore_cleanup_errors=True)
    data = Path(folder.name) / "data"
    async with (
        LocalSupabase.start(
            data=data, migrations=MIGRATIONS, user=DEMO_EMAIL, app_role=APP_ROLE, limits=unhurried_limits()
        ) as local,
        Auth(url=local.status.api_url, key=local.status.anon_key) as front_door,
        Database(_app_url(local)) as data_access,
        World(data, local, front_door, data_access) as world,
    ):
        yield world
    folder.cleanup()


@pytest.fixture(scope="session")
async def world() -> AsyncIterator[World]:
    async with a_world() as world:
        yield world


@pytest.fixture(params=list(FeedKind))
async def realtime(world: World, request: pytest.FixtureRequest) -> AsyncIterator[RealtimeService]:
    """Yield a service over the shared world for one test; each test runs with every transport."""
    transport = TRANSPORTS[request.param](url=world.status.api_url, key=world.status.anon_key)
    async with RealtimeService(transport=transport, source=DatabaseSource(world.database), linger=0.2) as service:
        yield service


@pytest.fixture
async def proxy(world: World) -> AsyncIterator[TcpProxy]:
    """Yield a proxy to the world's API that a test may cut, freeze and slow down."""
    async with TcpProxy(world.status.api_url) as proxy:
        yield proxy


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    path = find()
    assert path, ADVICE
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        await browser.close()


def _app_url(local: LocalSupabase) -> SecretStr:
    assert local.status.app_database_url is not None
    return local.status.app_database_url
