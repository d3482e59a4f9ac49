"""What tests share: one local Supabase a session, whose people and organisations each test makes anew; a browser."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright
from pydantic import SecretStr

from local_supabase.process import LocalSupabase
from services.auth.client import Auth
from services.feed_kind import FeedKind
from services.infra.backend import APP_ROLE, DEMO_EMAIL, MIGRATIONS
from services.infra.database import Database
from services.realtime import TRANSPORTS, DatabaseSource, RealtimeService
from tests.browser import ADVICE, FLAGS, find
from tests.proxies import TcpProxy
from tests.world import World


@pytest.fixture(scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    data: Path = tmp_path_factory.mktemp("livewatch") / "data"
    async with (
        LocalSupabase.start(data=data, migrations=MIGRATIONS, user=DEMO_EMAIL, app_role=APP_ROLE) as local,
        Auth(url=local.status.api_url, key=local.status.anon_key) as auth,
        Database(_app_url(local)) as database,
        World(data, local, auth, database) as world,
    ):
        yield world


@pytest.fixture(params=list(FeedKind))
async def realtime(world: World, request: pytest.FixtureRequest) -> AsyncIterator[RealtimeService]:
    """A service of the test's own over the shared world; each test runs on every transport."""
    transport = TRANSPORTS[request.param](url=world.status.api_url, key=world.status.anon_key)
    async with RealtimeService(transport=transport, source=DatabaseSource(world.database), linger=0.2) as service:
        yield service


@pytest.fixture
async def proxy(world: World) -> AsyncIterator[TcpProxy]:
    """A line to the world's API host that a test may cut, freeze and slow."""
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
