"""Access tokens that end, are renewed, are revoked or are wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from local_supabase.process import LocalSupabase
from services.auth import sessions as sessions_module
from services.auth.client import Auth
from services.auth.identity import Identity
from services.auth.sessions import Ending, Sessions, UserSession
from services.entities import NOTIFICATIONS, STREAMS, ConnectionStatus, Topic
from services.errors import SessionExpired
from services.feed_kind import FeedKind
from services.infra.backend import APP_ROLE, MIGRATIONS
from services.infra.database import Database
from services.realtime import TRANSPORTS, DatabaseSource, RealtimeService, SupabaseBroadcast, Transport
from services.realtime.supervision import supervisor as supervisor_module
from services.realtime.transports.transport import Link, Sink
from tests.services.realtime.watch import CONNECTED, CONNECTING, DISCONNECTED, ERROR, path
from tests.speed import product_timeout
from tests.world import Person, World, until

pytestmark = pytest.mark.integration
each_transport = pytest.mark.parametrize("kind", list(FeedKind))
LIFETIME = max(4, round(product_timeout(1)))


@pytest.fixture(scope="module")
async def brief(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A world whose access tokens last a few seconds: long enough to be renewed on a busy machine."""
    data: Path = tmp_path_factory.mktemp("brief") / "data"
    async with LocalSupabase.start(
        data=data, migrations=MIGRATIONS, app_role=APP_ROLE, token_lifetime=LIFETIME
    ) as local:
        assert local.status.app_database_url
        async with (
            Auth(url=local.status.api_url, key=local.status.anon_key) as auth,
            Database(local.status.app_database_url) as database,
            World(data, local, auth, database) as world,
        ):
            yield world


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Margins that suit such tokens."""
    monkeypatch.setattr(sessions_module, "RENEWAL_MARGIN", timedelta(seconds=LIFETIME / 2))
    monkeypatch.setattr(sessions_module, "RENEWAL_SHARE", 0.5)
    monkeypatch.setattr(sessions_module, "MIN_RENEWAL_INTERVAL_SECONDS", 0)
    monkeypatch.setattr(sessions_module, "CHECK_INTERVAL_SECONDS", 0.2)
    monkeypatch.setattr(supervisor_module, "TOKEN_MARGIN", timedelta(seconds=LIFETIME / 4))
    monkeypatch.setattr(supervisor_module, "MAINTENANCE_INTERVAL_SECONDS", 0.2)


def service_of(world: World, *, kind: FeedKind = FeedKind.BROADCAST) -> RealtimeService:
    transport = TRANSPORTS[kind](url=world.status.api_url, key=world.status.anon_key)
    return RealtimeService(transport=transport, source=DatabaseSource(world.database), linger=0.1)


class Rekeyed:
    """A transport of a project whose key is changed while the app runs."""

    kind = FeedKind.BROADCAST

    def __init__(self, current: Transport) -> None:
        self.current = current

    async def is_reachable(self) -> bool:
        return await self.current.is_reachable()

    def open(self, topic: Topic, token: SecretStr, sink: Sink) -> AbstractAsyncContextManager[Link]:
        return self.current.open(topic, token, sink)


async def fresh_session(world: World, person: Person) -> UserSession:
    return Sessions(world.auth).get_or_create(await world.auth.sign_in(person.email, SecretStr(person.password)))


@pytest.mark.usefixtures("hurried")
@each_transport
async def test_tokens_are_renewed_before_they_end_and_the_channel_goes_on_without_a_gap(
    brief: World, kind: FeedKind
) -> None:
    org = await brief.organization()
    person = await brief.person(org)
    session = await fresh_session(brief, person)
    first = session.identity.access_token
    statuses: list[ConnectionStatus] = []
    leave = session.join(on_renew=lambda: None, on_end=lambda _: None)
    try:
        async with service_of(brief, kind=kind) as service:
            subscription = service.subscribe(
                STREAMS, org, session=session, on_status=lambda each: statuses.append(each.status)
            )
            await until(lambda: subscription.is_loaded)
            committed = 0
            ends = asyncio.get_running_loop().time() + 2.5 * LIFETIME
            while asyncio.get_running_loop().time() < ends:
                await brief.sql("insert into streams (org_id, name) values (%s, 'one more')", org)
                committed += 1
                await until(lambda: len(subscription.rows()) == committed)  # noqa: B023  # awaited at once
                await asyncio.sleep(0.2)
            (feed,) = service.feeds()
            assert feed.meter.connections == 1
            assert session.identity.access_token != first
            assert ConnectionStatus.DISCONNECTED not in statuses
    finally:
        leave()


async def test_a_session_that_cannot_renew_is_said_and_heals_with_a_new_one(brief: World) -> None:
    org = await brief.organization()
    person = await brief.person(org)
    expiring = await fresh_session(brief, person)
    statuses: list[ConnectionStatus] = []
    async with service_of(brief) as service:
        subscription = service.subscribe(
            STREAMS, org, session=expiring, on_status=lambda each: statuses.append(each.status)
        )
        await until(lambda: subscription.is_loaded)
        await until(lambda: subscription.status.status is ERROR, within=LIFETIME + 10, what="it is said")
        assert "Sign in again" in subscription.status.cause
        assert expiring.identity.access_token.get_secret_value() not in subscription.status.cause
        renewed = service.subscribe(STREAMS, org, session=await fresh_session(brief, person))
        await until(
            lambda: renewed.is_loaded and renewed.status.status is CONNECTED,
            within=5,
            what="somebody else's token heals the feed",
        )
        assert path(statuses) == [CONNECTING, CONNECTED, DISCONNECTED, ERROR, CONNECTED]


@pytest.mark.usefixtures("hurried")
@each_transport
async def test_before_the_lenders_token_ends_the_channel_goes_over_to_another_member_without_a_gap(
    brief: World, kind: FeedKind
) -> None:
    org = await brief.organization()
    token_owner, other = await brief.person(org), await brief.person(org)
    session = await fresh_session(brief, other)
    statuses: list[ConnectionStatus] = []
    leave = session.join(on_renew=lambda: None, on_end=lambda _: None)
    try:
        async with service_of(brief, kind=kind) as service:
            unrenewed = await fresh_session(brief, token_owner)
            expiring = service.subscribe(
                STREAMS, org, session=unrenewed, on_status=lambda each: statuses.append(each.status)
            )
            await until(lambda: expiring.is_loaded)
            subscription = service.subscribe(STREAMS, org, session=session)
            committed = 0
            while unrenewed.identity.expires_at > datetime.now(UTC) - timedelta(seconds=1):
                await brief.sql("insert into streams (org_id, name) values (%s, 'one more')", org)
                committed += 1
                await until(lambda: len(subscription.rows()) == committed)  # noqa: B023  # awaited at once
                await asyncio.sleep(0.05)
            (feed,) = service.feeds()
            assert feed.meter.connections == 1
            assert ConnectionStatus.DISCONNECTED not in statuses
    finally:
        leave()


async def test_a_revoked_session_takes_its_subscriptions_away(world: World) -> None:
    org = await world.organization()
    person = await world.person(org)
    session = await fresh_session(world, person)
    endings: list[Ending] = []
    statuses: list[ConnectionStatus] = []
    leave = session.join(on_renew=lambda: None, on_end=endings.append)
    try:
        async with service_of(world) as service:
            streams = service.subscribe(
                STREAMS, org, session=session, on_status=lambda each: statuses.append(each.status)
            )
            inbox = service.subscribe(NOTIFICATIONS, person.id, session=session)
            await until(lambda: streams.is_loaded and inbox.is_loaded)
            await world.auth.sign_out(session.tokens)
            await until(lambda: endings == [Ending.EXPIRED], within=10)
            await until(lambda: streams.is_closed and inbox.is_closed, within=5)
            assert path(statuses) == [CONNECTING, CONNECTED, ERROR]
            assert streams.rows() == []
            assert "Sign in again" in streams.status.cause
    finally:
        leave()


async def test_a_wrong_key_is_said_and_not_shown_and_the_right_one_heals(world: World) -> None:
    org = await world.organization()
    person = await world.person(org)
    wrong = SupabaseBroadcast(url=world.status.api_url, key=SecretStr("a-wrong-key"))
    right = SupabaseBroadcast(url=world.status.api_url, key=world.status.anon_key)
    transport = Rekeyed(wrong)
    statuses: list[ConnectionStatus] = []
    async with RealtimeService(transport=transport, source=DatabaseSource(world.database), linger=0.1) as service:
        subscription = service.subscribe(
            STREAMS, org, session=person, on_status=lambda each: statuses.append(each.status)
        )
        await until(lambda: subscription.status.cause, within=10)
        assert subscription.status.status is ERROR
        assert "a-wrong-key" not in subscription.status.cause
        assert subscription.status.attempt >= 1
        transport.current = right
        await until(lambda: subscription.is_loaded and subscription.status.status is CONNECTED, within=5)
        assert not subscription.status.cause
        assert path(statuses) == [CONNECTING, ERROR, CONNECTED]


def test_a_token_that_is_none_is_a_session_that_has_ended() -> None:
    with pytest.raises(SessionExpired):
        Identity.from_token("not a token")
