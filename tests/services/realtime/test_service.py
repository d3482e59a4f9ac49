"""The service against a real database and Realtime."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import col, delete, update

from services.entities import (
    ALERTS,
    NOTIFICATIONS,
    SCANS,
    STREAMS,
    AcquisitionScan,
    ConnectionStatus,
    GoalStatus,
    Notification,
    Scope,
    SignalAlert,
    Stream,
    Topic,
)
from services.errors import PermissionDenied
from services.people.models import Role
from services.realtime import Delta, RealtimeService, Subscription
from tests.world import World, until

pytestmark = pytest.mark.integration


def loaded(*subscriptions: Subscription[Any]) -> Any:
    return until(lambda: all(each.is_loaded for each in subscriptions), what="the first snapshot")


async def test_what_was_there_before_and_what_comes_after_both_show(world: World, realtime: RealtimeService) -> None:
    org = await world.organization()
    ada = await world.person(org)
    await world.insert(Stream(org_id=org, name="before"), by=ada)
    streams = realtime.subscribe(STREAMS, org, session=ada)
    await loaded(streams)
    await world.insert(Stream(org_id=org, name="after"), by=ada)
    await until(lambda: {row.name for row in streams.rows()} == {"before", "after"})


async def test_insert_update_and_delete_are_told_with_the_row_before_and_after(
    world: World, realtime: RealtimeService
) -> None:
    org = await world.organization()
    ada = await world.person(org)
    told: list[Delta[Stream]] = []
    streams = realtime.subscribe(STREAMS, org, session=ada, on_change=told.extend)
    await loaded(streams)
    stream = Stream(org_id=org, name="import", total=10)
    await world.insert(stream, by=ada)
    await until(lambda: len(told) == 1)
    async with world.database.as_user(ada.identity) as session:
        await session.exec(update(Stream).where(col(Stream.id) == stream.id).values(completed=4))
    await until(lambda: len(told) == 2)
    async with world.database.as_user(ada.identity) as session:
        await session.exec(delete(Stream).where(col(Stream.id) == stream.id))
    await until(lambda: len(told) == 3)
    inserted, updated, deleted = told
    assert inserted.old is None
    assert updated.new
    assert (updated.new.completed, updated.new.percentage) == (4, 40)
    assert updated.new.last_progress_at is not None
    assert deleted.new is None


async def test_any_number_of_subscriptions_on_a_topic_share_one_channel_and_the_last_releases_it(
    world: World, realtime: RealtimeService
) -> None:
    org = await world.organization()
    people = [await world.person(org) for _ in range(3)]
    subscriptions: list[Subscription[Any]] = [
        realtime.subscribe(STREAMS, org, session=person) for person in people for _ in range(20)
    ]
    subscriptions += [realtime.subscribe(SCANS, org, session=people[0])]
    await loaded(*subscriptions)
    assert [str(feed.topic) for feed in realtime.feeds()] == [f"org:{org}"]
    for subscription in subscriptions:
        subscription.close()
        subscription.close()
    assert realtime.active_subscriptions() == []
    await until(lambda: not realtime.feeds(), what="the feed lingers a moment, then goes")


async def test_a_stranger_gets_no_rows_and_is_told_why(world: World, realtime: RealtimeService) -> None:
    org = await world.organization()
    member, stranger = await world.person(org), await world.person()
    await world.insert(Stream(org_id=org, name="secret"), by=member)
    inside = realtime.subscribe(STREAMS, org, session=member)
    await loaded(inside)
    seen: list[Any] = []
    outside = realtime.subscribe(STREAMS, org, session=stranger, on_change=seen.append)
    await until(lambda: outside.is_closed)
    await world.insert(Stream(org_id=org, name="secret too"), by=member)
    await until(lambda: len(inside.rows()) == 2)
    assert (outside.rows(), seen) == ([], [])
    assert outside.status.status is ConnectionStatus.ERROR
    assert stranger.email in outside.status.cause


async def test_nothing_crosses_between_organisations_deletes_included(world: World, realtime: RealtimeService) -> None:
    ours, theirs = await world.organization(), await world.organization()
    ada, eve = await world.person(ours), await world.person(theirs)
    seen: list[Delta[Stream]] = []
    mine = realtime.subscribe(STREAMS, ours, session=ada)
    hers = realtime.subscribe(STREAMS, theirs, session=eve, on_change=seen.extend)
    await loaded(mine, hers)
    stream = Stream(org_id=ours, name="ours")
    await world.insert(stream, by=ada)
    await until(mine.rows)
    await world.sql("update streams set completed = 1 where id = %s", stream.id)
    await world.sql("delete from streams where id = %s", stream.id)
    await until(lambda: not mine.rows())
    await world.insert(Stream(org_id=theirs, name="theirs"), by=eve)
    await until(hers.rows)
    assert [delta.new.name for delta in seen if delta.new] == ["theirs"]
    assert len(seen) == 1


async def test_alerts_and_notifications_reach_their_recipient_alone(world: World, realtime: RealtimeService) -> None:
    org = await world.organization()
    ada, bob = await world.person(org), await world.person(org)
    alerts, others = (realtime.subscribe(ALERTS, person.id, session=person) for person in (ada, bob))
    inbox = realtime.subscribe(NOTIFICATIONS, ada.id, session=ada)
    await loaded(alerts, others, inbox)
    await world.insert(
        SignalAlert(org_id=org, user_id=ada.id, target_name="x", signal_type="late", signal_strength=91), by=bob
    )
    await world.insert(Notification(org_id=org, user_id=ada.id, title="hello"), by=bob)
    await until(lambda: alerts.rows() and inbox.rows())
    assert alerts.rows()[0].priority == "urgent"
    assert others.rows() == []


async def test_nobody_subscriptions_another_users_topic(world: World, realtime: RealtimeService) -> None:
    org = await world.organization()
    ada, bob = await world.person(org), await world.person(org)
    spy = realtime.subscribe(ALERTS, ada.id, session=bob)
    await until(lambda: spy.is_closed)
    assert realtime.status(Topic(Scope.USER, ada.id)) is None


async def test_where_narrows_what_is_told_and_a_row_that_leaves_it_is_told_as_gone(
    world: World, realtime: RealtimeService
) -> None:
    org = await world.organization()
    ada = await world.person(org)
    told: list[Delta[Stream]] = []
    blocked = realtime.subscribe(
        STREAMS,
        org,
        session=ada,
        where=lambda stream: stream.goal_status is GoalStatus.BLOCKED,
        on_change=told.extend,
    )
    await loaded(blocked)
    stream = Stream(org_id=org, name="s")
    await world.insert(stream, by=ada)
    for status in ("blocked", "on_track"):
        await world.sql("update streams set goal_status = %s where id = %s", status, stream.id)
    await until(lambda: len(told) == 2)
    assert [(bool(delta.old), bool(delta.new)) for delta in told] == [(False, True), (True, False)]


async def test_a_removed_member_stops_and_the_others_go_on(world: World, realtime: RealtimeService) -> None:
    org = await world.organization()
    ada, bob = await world.person(org), await world.person(org)
    for_bob = realtime.subscribe(STREAMS, org, session=bob)
    bobs_inbox = realtime.subscribe(NOTIFICATIONS, bob.id, session=bob)
    await loaded(for_bob, bobs_inbox)
    for_ada = realtime.subscribe(STREAMS, org, session=ada)
    await loaded(for_ada)
    # The channel runs under Bob's token, and goes over to Ada's.
    await world.sql("delete from org_members where org_id = %s and user_id = %s", org, bob.id)
    await until(lambda: for_bob.is_closed, within=5)
    await world.insert(Stream(org_id=org, name="after bob"), by=ada)
    await until(for_ada.rows)
    assert for_bob.rows() == []


async def test_a_callback_that_raises_hurts_nobody(world: World, realtime: RealtimeService) -> None:
    org = await world.organization()
    ada = await world.person(org)
    async_calls: list[int] = []

    def broken(deltas: list[Delta[Stream]]) -> None:
        raise RuntimeError("a broken callback")

    async def slow(deltas: list[Delta[Stream]]) -> None:
        await asyncio.sleep(0)
        async_calls.append(len(deltas))

    bad = realtime.subscribe(STREAMS, org, session=ada, on_change=broken)
    good = realtime.subscribe(STREAMS, org, session=ada, on_change=slow)
    await loaded(bad, good)
    await world.insert(Stream(org_id=org, name="one"), by=ada)
    await until(lambda: async_calls == [1])
    assert len(bad.rows()) == 1


async def test_a_row_that_fails_validation_is_counted_and_the_rest_goes_on(
    world: World, realtime: RealtimeService
) -> None:
    org = await world.organization()
    ada = await world.person(org)
    scans = realtime.subscribe(SCANS, org, session=ada)
    await loaded(scans)
    bad = uuid4()
    insert = "insert into acquisition_scans (id, org_id, name, status) values (%s, %s, 'odd', 'enchanted')"
    async with world.odd_row("acquisition_scans", "acquisition_scans_status_check", insert, bad, org):
        await world.insert(AcquisitionScan(org_id=org, name="fine"), by=ada)
        await until(scans.rows)
        assert [scan.name for scan in scans.rows()] == ["fine"]
        (quarantined,) = realtime.quarantined(SCANS.topic(org))
        assert (quarantined.table, quarantined.id) == ("acquisition_scans", str(bad))
        assert "status" in quarantined.reason


async def test_when_realtime_restarts_every_subscription_catches_up(world: World, realtime: RealtimeService) -> None:
    org = await world.organization()
    ada = await world.person(org)
    statuses: list[ConnectionStatus] = []
    streams = realtime.subscribe(STREAMS, org, session=ada, on_status=lambda each: statuses.append(each.status))
    gone = Stream(org_id=org, name="gone")
    await world.insert(gone, by=ada)
    await loaded(streams)
    await until(streams.rows)
    statuses.clear()
    await world.local.restart()
    await world.sql("delete from streams where id = %s", gone.id)
    await world.sql("insert into streams (org_id, name) values (%s, 'came while away')", org)
    await until(lambda: [row.name for row in streams.rows()] == ["came while away"], within=20)
    assert ConnectionStatus.DISCONNECTED in statuses
    await until(lambda: streams.status.status is ConnectionStatus.CONNECTED, within=20)


async def test_a_viewer_sees_but_may_not_write(world: World, realtime: RealtimeService) -> None:
    org = await world.organization()
    viewer = await world.person(org, role=Role.VIEWER)
    with pytest.raises(PermissionDenied, match="does not let"):
        await world.insert(Stream(org_id=org, name="mine"), by=viewer)
