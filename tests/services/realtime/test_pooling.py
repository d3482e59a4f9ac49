"""One upstream channel a topic, whoever comes and goes, and whoever's token it runs under."""

from typing import Any

import pytest

from services.entities import AGENTS, NOTIFICATIONS, SCANS, STREAMS, ConnectionStatus, Stream
from services.feed_kind import FeedKind
from services.realtime import TRANSPORTS, DatabaseSource, RealtimeService, Subscription
from tests.proxies import TcpProxy
from tests.world import World, until

pytestmark = pytest.mark.integration
each_transport = pytest.mark.parametrize("kind", list(FeedKind))


def service_over(world: World, url: str, kind: FeedKind) -> RealtimeService:
    transport = TRANSPORTS[kind](url=url, key=world.status.anon_key)
    return RealtimeService(transport=transport, source=DatabaseSource(world.database), linger=0.1)


@each_transport
async def test_two_hundred_windows_of_twenty_members_hold_one_channel_for_the_org_and_one_for_each_user(
    world: World, kind: FeedKind
) -> None:
    org = await world.organization()
    members = [await world.person(org) for _ in range(20)]
    async with TcpProxy(world.status.api_url) as proxy, service_over(world, proxy.url, kind) as service:
        subscriptions: list[Subscription[Any]] = []
        for window in range(200):
            member = members[window % len(members)]
            subscriptions += [service.subscribe(entity, org, session=member) for entity in (STREAMS, SCANS, AGENTS)]
            subscriptions.append(service.subscribe(NOTIFICATIONS, member.id, session=member))
        await until(lambda: all(subscription.is_loaded for subscription in subscriptions), within=30)
        sockets = 2 * (1 + len(members))
        await until(lambda: proxy.connections == sockets, within=30, what="both ends of one socket for each topic")
        assert len(service.active_subscriptions()) == 800
        await world.insert(Stream(org_id=org, name="seen by all"), by=members[0])
        await until(
            lambda: all(
                len(subscription.rows()) == 1 for subscription in subscriptions if subscription.entity is STREAMS
            )
        )
        service.unsubscribe_all()
        await until(lambda: proxy.connections == 0, within=10, what="the last subscription releases the channel")


@each_transport
async def test_the_channel_goes_over_to_another_member_when_its_lender_leaves_without_a_gap(
    world: World, kind: FeedKind
) -> None:
    org = await world.organization()
    token_owner, other = await world.person(org), await world.person(org)
    async with service_over(world, world.status.api_url, kind) as service:
        first = service.subscribe(STREAMS, org, session=token_owner)
        await until(lambda: first.is_loaded)
        second = service.subscribe(STREAMS, org, session=other)
        await until(lambda: second.is_loaded)
        (feed,) = service.feeds()
        first.close()
        for number in range(20):
            await world.sql("insert into streams (org_id, name) values (%s, %s)", org, f"stream {number}")
        await until(lambda: len(second.rows()) == 20, what="what was committed meanwhile arrives")
        await world.sql("insert into streams (org_id, name) values (%s, 'after')", org)
        await until(lambda: len(second.rows()) == 21)
        assert feed.meter.connections == 1, "it did not join again"


@each_transport
async def test_a_removed_member_whose_own_topic_nobody_hears_stops(world: World, kind: FeedKind) -> None:
    org = await world.organization()
    stays, goes = await world.person(org), await world.person(org)
    async with service_over(world, world.status.api_url, kind) as service:
        staying, going = (service.subscribe(STREAMS, org, session=person) for person in (stays, goes))
        await until(lambda: staying.is_loaded and going.is_loaded)
        await world.sql("delete from org_members where org_id = %s and user_id = %s", org, goes.id)
        await until(lambda: going.is_closed, within=5)
        await world.sql("insert into streams (org_id, name) values (%s, 'for those who stay')", org)
        await until(staying.rows)
        assert going.rows() == []


@each_transport
async def test_a_member_removed_while_their_own_topic_is_away_stops(world: World, kind: FeedKind) -> None:
    org = await world.organization()
    person = await world.person(org)
    async with TcpProxy(world.status.api_url) as proxy, service_over(world, proxy.url, kind) as service:
        streams = service.subscribe(STREAMS, org, session=person)
        inbox = service.subscribe(NOTIFICATIONS, person.id, session=person)
        await until(lambda: streams.is_loaded and inbox.is_loaded)
        await proxy.cut()
        await until(lambda: inbox.status.status is not ConnectionStatus.CONNECTED)
        await world.sql("delete from org_members where org_id = %s and user_id = %s", org, person.id)
        await until(lambda: streams.is_closed, within=5)
        assert not inbox.is_closed


async def test_a_removal_that_was_not_heard_is_found_when_the_channel_is_joined_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.realtime.authorization.UNNOTIFIED_RECHECK_INTERVAL_SECONDS", 60.0)
    org = await world.organization()
    person = await world.person(org)
    async with (
        TcpProxy(world.status.api_url) as proxy,
        service_over(world, proxy.url, FeedKind.BROADCAST) as service,
    ):
        streams = service.subscribe(STREAMS, org, session=person)
        inbox = service.subscribe(NOTIFICATIONS, person.id, session=person)
        await until(lambda: streams.is_loaded and inbox.is_loaded)
        await proxy.cut()
        await world.sql("delete from org_members where org_id = %s and user_id = %s", org, person.id)
        await proxy.restore()
        await until(lambda: streams.is_closed, within=5)
