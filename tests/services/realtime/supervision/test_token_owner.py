"""The supervisor keeps a channel under a usable token, in virtual time."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from services.entities import ALERTS, ConnectionStatus, Scope, Topic
from services.feed_kind import FeedKind
from services.realtime.supervision import supervisor as module
from tests.services.realtime.fakes import FakeMember
from tests.services.realtime.supervision.scene import scene, settled
from tests.virtual_time import run

CONNECTED = ConnectionStatus.CONNECTED
CONNECTING = ConnectionStatus.CONNECTING
ERROR = ConnectionStatus.ERROR


def test_a_renewed_token_goes_to_the_channel_without_a_reload() -> None:
    async def work(kind: FeedKind) -> None:
        async with scene(kind=kind) as each:
            member = FakeMember()
            each.subscribe(member)
            await settled()
            member.renew()
            await asyncio.sleep(3 * module.MAINTENANCE_INTERVAL_SECONDS + 0.1)
            assert each.server.link.tokens[-1] == member.identity.access_token.get_secret_value()
            assert len(each.server.link.tokens) == 2
            assert each.feed.meter.connections == 1
            assert each.database.snapshots == ["streams"]

    run(work(FeedKind.BROADCAST))
    run(work(FeedKind.POSTGRES_CHANGES))


@pytest.mark.parametrize(("kind", "reads"), [(FeedKind.BROADCAST, 1), (FeedKind.POSTGRES_CHANGES, 2)])
@pytest.mark.parametrize("way", ["closed", "ended", "expires"])
def test_another_member_takes_over_the_channel(kind: FeedKind, reads: int, way: str) -> None:
    async def work() -> None:
        async with scene(kind=kind) as each:
            first = FakeMember(lives=timedelta(seconds=58 if way == "expires" else 3600 * 2))
            own = each.subscribe(first)
            await settled()
            other = FakeMember(lives=timedelta(hours=1))
            subscription = each.subscribe(other)
            if way == "closed":
                own.close()
            elif way == "ended":
                first.end()
            await asyncio.sleep(module.MAINTENANCE_INTERVAL_SECONDS + 0.1)
            assert each.server.link.tokens[-1] == other.identity.access_token.get_secret_value()
            assert each.database.readers[-1] == (first.user_id if reads == 1 else other.user_id)
            assert len(each.database.readers) == reads
            assert subscription.is_loaded
            assert each.feed.meter.connections == 1

    run(work())


def test_a_channel_that_does_not_switch_to_the_other_token_is_joined_again() -> None:
    async def work() -> None:
        async with scene(kind=FeedKind.POSTGRES_CHANGES) as each:
            own = each.subscribe(FakeMember(lives=timedelta(hours=2)))
            await settled()
            each.subscribe(FakeMember())
            each.server.delivers_probes = False
            own.close()
            started = asyncio.get_running_loop().time()
            while each.status is CONNECTED:  # noqa: ASYNC110  # the time until then is what is tested
                await asyncio.sleep(0.05)
            taken = asyncio.get_running_loop().time() - started
            attempts = module.MAX_HANDOVER_ATTEMPTS * module.HANDOVER_TIMEOUT_SECONDS
            assert attempts <= taken < attempts + 2
            assert each.feed.status.cause == "The channel did not switch to another member's token."

    run(work())


def test_without_a_subscriber_the_feed_stays_connected_under_its_token() -> None:
    async def work() -> None:
        async with scene() as each:
            each.subscribe(FakeMember()).close()
            subscription = each.subscribe(FakeMember())
            await settled()
            subscription.close()
            await asyncio.sleep(20)
            assert each.status is CONNECTED
            assert len(each.server.link.tokens) == 1

    run(work())


def test_without_a_usable_token_it_says_so_and_waits() -> None:
    async def work() -> None:
        async with scene() as each:
            member = FakeMember()
            member.end()
            each.subscribe(member)
            await asyncio.sleep(0.5)
            assert each.status is CONNECTING
            await asyncio.sleep(1)
            assert each.status is ERROR
            assert each.feed.status.cause == module.NO_TOKEN_OWNER
            assert each.server.joins == []
            each.statuses.clear()
            await asyncio.sleep(5)
            assert each.statuses == []
            each.subscribe(FakeMember())
            await settled()
            assert each.status is CONNECTED

    run(work())


def test_a_refused_owner_has_the_subscriptions_rechecked() -> None:
    async def work() -> None:
        async with scene() as each:
            member = FakeMember()
            each.database.denied.add(member.user_id)
            each.subscribe(member)
            await settled()
            assert each.status is ERROR
            assert each.feed.status.cause == "No access to the topic."
            assert each.rechecks == [each.feed.topic]

    run(work())


def test_a_personal_feed_has_its_subscriptions_rechecked_whenever_it_connects() -> None:
    async def work() -> None:
        topic = Topic(scope=Scope.USER, id=uuid4())
        async with scene(topic=topic) as each:
            each.subscribe(FakeMember(), ALERTS)
            await settled()
            assert each.rechecks == [topic]
            each.server.lose()
            await asyncio.sleep(0.3)
            assert each.rechecks == [topic, topic]

    run(work())
