"""Access tokens that end, are renewed, are revoked or are wrong."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from services import sessions as sessions_module
from services.auth import Auth
from services.backend import APP_ROLE, MIGRATIONS
from services.database import Database
from services.entities import STREAMS
from services.errors import SessionExpired
from services.identity import Identity
from services.local_supabase.process import LocalSupabase
from services.models import ConnectionStatus
from services.realtime import DatabaseSource, RealtimeService, SupabaseBroadcast
from services.realtime import supervisor as supervisor_module
from services.sessions import Sessions, UserSession
from tests.world import Person, World, until

pytestmark = pytest.mark.integration
LIFETIME = 4


@pytest.fixture(scope="module")
async def brief(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A world whose access tokens last a few seconds."""
    data: Path = tmp_path_factory.mktemp("brief") / "data"
    async with LocalSupabase.start(
        data=data, migrations=MIGRATIONS, app_role=APP_ROLE, token_lifetime=LIFETIME
    ) as local:
        assert local.status.app_database_url
        async with (
            Auth(url=local.status.api_url, key=local.status.anon_key) as auth,
            Database(local.status.app_database_url) as database,
        ):
            yield World(data, local, auth, database)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Margins that suit such tokens."""
    monkeypatch.setattr(sessions_module, "MARGIN", timedelta(seconds=2))
    monkeypatch.setattr(sessions_module, "CHECK_INTERVAL", 0.2)
    monkeypatch.setattr(supervisor_module, "TOKEN_MARGIN", timedelta(seconds=1))
    monkeypatch.setattr(supervisor_module, "TEND_INTERVAL", 0.2)


def service_of(world: World, key: SecretStr | None = None) -> RealtimeService:
    transport = SupabaseBroadcast(url=world.status.api_url, key=key or world.status.anon_key)
    return RealtimeService(transport=transport, source=DatabaseSource(world.database), linger=0.1)


async def fresh_session(world: World, person: Person) -> UserSession:
    return Sessions(world.auth).take(await world.auth.sign_in(person.email, SecretStr(person.password)))


@pytest.mark.usefixtures("hurried")
async def test_tokens_are_renewed_before_they_end_and_the_channel_goes_on_without_a_gap(brief: World) -> None:
    org = await brief.organization()
    person = await brief.person(org)
    session = await fresh_session(brief, person)
    first = session.identity.access_token
    statuses: list[ConnectionStatus] = []
    leave = session.join(on_renew=lambda: None, on_end=lambda _: None)
    try:
        async with service_of(brief) as service:
            lease = service.subscribe(
                STREAMS, org, session=session, on_status=lambda each: statuses.append(each.status)
            )
            await until(lambda: lease.is_loaded)
            committed = 0
            ends = asyncio.get_running_loop().time() + 3 * LIFETIME
            while asyncio.get_running_loop().time() < ends:
                await brief.sql("insert into streams (org_id, name) values (%s, 'one more')", org)
                committed += 1
                await until(lambda: len(lease.rows()) == committed)  # noqa: B023  # awaited at once
                await asyncio.sleep(0.2)
            (feed,) = service.feeds()
            assert feed.supervisor.connections == 1
            assert session.identity.access_token != first
            assert ConnectionStatus.DISCONNECTED not in statuses
    finally:
        leave()


async def test_a_session_that_cannot_renew_is_said_within_ten_seconds_and_heals_with_a_new_one(brief: World) -> None:
    org = await brief.organization()
    person = await brief.person(org)
    expiring = await fresh_session(brief, person)
    async with service_of(brief) as service:
        lease = service.subscribe(STREAMS, org, session=expiring)
        await until(lambda: lease.is_loaded)
        await until(
            lambda: lease.status.status is not ConnectionStatus.CONNECTED, within=LIFETIME + 10, what="it is said"
        )
        assert lease.status.cause
        assert expiring.identity.access_token.get_secret_value() not in lease.status.cause
        renewed = service.subscribe(STREAMS, org, session=await fresh_session(brief, person))
        await until(lambda: renewed.is_loaded, within=10, what="somebody else's token heals the feed")


async def test_a_revoked_session_takes_its_leases_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.realtime.service.UNTOLD_RECHECK_INTERVAL", 0.2)
    org = await world.organization()
    person = await world.person(org)
    session = await fresh_session(world, person)
    async with service_of(world) as service:
        lease = service.subscribe(STREAMS, org, session=session)
        await until(lambda: lease.is_loaded)
        await world.auth.sign_out(session.tokens)
        await session.check()
        await until(lambda: lease.is_closed, within=10)
        assert lease.status.status is ConnectionStatus.ERROR
        assert "Sign in again" in lease.status.cause


async def test_a_wrong_key_is_said_and_not_shown(world: World) -> None:
    org = await world.organization()
    person = await world.person(org)
    async with service_of(world, SecretStr("a-wrong-key")) as service:
        lease = service.subscribe(STREAMS, org, session=person)
        await until(lambda: lease.status.cause, within=10)
        assert lease.status.status in (ConnectionStatus.DISCONNECTED, ConnectionStatus.ERROR)
        assert "a-wrong-key" not in lease.status.cause
        assert lease.status.attempt >= 1


def test_a_token_that_is_none_is_a_session_that_has_ended() -> None:
    with pytest.raises(SessionExpired):
        Identity.from_token("not a token")
