"""A feed without a network: who is told what."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.entities import SCANS, STREAMS, ConnectionStatus, LiveTable, Stream, Topic
from services.realtime.feed import Feed
from services.realtime.rows import Delta
from services.realtime.status import FeedStatus
from services.realtime.subscription import Subscription
from tests.services.realtime.fakes import ORG_TOPIC, FakeMember, delete, record, upsert
from tests.virtual_time import run

Deltas = list[Delta[Any]]
CONNECTED = FeedStatus(status=ConnectionStatus.CONNECTED)


class Scene:
    """A feed, and what it asked of others."""

    def __init__(self) -> None:
        self.quarantined: list[tuple[str, str, str]] = []
        self.memberships: list[Topic] = []
        self.wakes = 0
        self.feed = Feed(
            ORG_TOPIC, quarantine=lambda *each: self.quarantined.append(each), on_membership=self.memberships.append
        )
        self.feed.on_wake = self._wake

    def _wake(self) -> None:
        self.wakes += 1

    def subscribe(
        self,
        on_change: Callable[[Deltas], None] | None = None,
        *,
        entity: LiveTable[Any] = STREAMS,
        member: FakeMember | None = None,
        on_status: Callable[[FeedStatus], None] | None = None,
    ) -> Subscription[Any]:
        subscription: Subscription[Any] = Subscription(
            entity,
            ORG_TOPIC,
            session=member or FakeMember(),
            where=None,
            on_change=on_change,
            on_status=on_status,
            on_close=self.feed.discard,
        )
        self.feed.add(subscription)
        return subscription

    def make_deliveries_wait(self) -> None:
        """Have the batcher of `streams` behave as after a delivery that has just taken a second."""
        coalescer = self.feed._tables["streams"].batcher._coalescer
        coalescer.last_cost = 1.0
        coalescer._started_at = asyncio.get_running_loop().time()

    def load(self, *records: dict[str, Any]) -> int:
        return sum(self.feed.take_snapshot(table, list(records)) for table in self.feed.unloaded())


def in_loop(test: Callable[[Scene], Any]) -> None:
    async def work() -> None:
        await test(Scene())

    run(work())


def test_rows_are_known_from_the_snapshot_on() -> None:
    async def work(scene: Scene) -> None:
        id = uuid4()
        told: Deltas = []
        statuses: list[FeedStatus] = []
        subscription = scene.subscribe(told.extend, on_status=statuses.append)
        assert (subscription.is_loaded, subscription.rows(), scene.feed.rows(STREAMS)) == (False, [], None)
        assert len(statuses) == 1
        assert [table.entity for table in scene.feed.unloaded()] == [STREAMS]
        assert scene.load(record(id)) == 1
        assert (scene.feed.unloaded(), [table.entity for table in scene.feed.loaded()]) == ([], [STREAMS])
        assert [(delta.id, delta.old) for delta in told] == [(id, None)]
        assert len(statuses) == 2

    in_loop(work)


def test_an_empty_snapshot_is_told_by_a_status() -> None:
    async def work(scene: Scene) -> None:
        told: list[Deltas] = []
        statuses: list[FeedStatus] = []
        subscription = scene.subscribe(told.append, on_status=statuses.append)
        scene.load()
        assert (subscription.is_loaded, told, len(statuses)) == (True, [], 2)

    in_loop(work)


def test_a_later_subscription_gets_the_rows_at_once_and_each_change_once() -> None:
    async def work(scene: Scene) -> None:
        first, second = uuid4(), uuid4()
        earlier: Deltas = []
        later: Deltas = []
        scene.subscribe(earlier.extend)
        scene.load(record(first))
        scene.feed.change(upsert(second, 1))
        subscription = scene.subscribe(later.extend)
        assert {delta.id for delta in later} == {first, second}
        assert [delta.id for delta in earlier] == [first, second], "what was pending went out before"
        await asyncio.sleep(1)
        assert len(later) == 2
        assert subscription.status is scene.feed.status
        scene.feed.change(delete(first, 2))
        await asyncio.sleep(1)
        assert later[-1].new is None
        assert earlier[-1] == later[-1]

    in_loop(work)


def test_deltas_that_wait_go_out_before_a_new_subscription_and_before_a_snapshot() -> None:
    async def work(scene: Scene) -> None:
        id = uuid4()
        earlier: Deltas = []
        later: Deltas = []
        scene.subscribe(earlier.extend)
        scene.load(record(id, 1))
        for version in (2, 3):
            scene.make_deliveries_wait()
            scene.feed.change(upsert(id, version))
        assert len(earlier) == 1, "the changes wait"
        scene.subscribe(later.extend)
        assert [delta.new and delta.new.version for delta in earlier] == [1, 2, 3]
        await asyncio.sleep(60)
        assert [delta.new and delta.new.version for delta in later] == [3]
        scene.make_deliveries_wait()
        scene.feed.change(upsert(id, 4))
        scene.feed.buffer_changes()
        scene.load(record(id, 5))
        await asyncio.sleep(60)
        assert [delta.new and delta.new.version for delta in later] == [3, 4, 5]

    in_loop(work)


def test_changes_before_the_snapshot_are_applied_after_it() -> None:
    async def work(scene: Scene) -> None:
        stays, goes = uuid4(), uuid4()
        subscription = scene.subscribe()
        scene.feed.change(upsert(stays, 5))
        scene.feed.change(delete(goes, 5))
        assert subscription.rows() == []
        scene.load(record(stays, 1), record(goes, 1))
        assert [row.version for row in subscription.rows()] == [5]

    in_loop(work)


def test_a_new_buffer_forgets_the_changes_of_a_lost_channel() -> None:
    async def work(scene: Scene) -> None:
        id = uuid4()
        subscription = scene.subscribe()
        scene.feed.change(upsert(id, 5))
        scene.feed.buffer_changes()
        scene.load()
        assert subscription.rows() == []
        scene.feed.buffer_changes()
        scene.feed.change(upsert(id, 6))
        assert subscription.rows() == []
        scene.load(record(id, 4))
        assert [row.version for row in subscription.rows()] == [6]

    in_loop(work)


def test_a_change_of_a_table_without_subscriptions_is_counted_and_dropped() -> None:
    async def work(scene: Scene) -> None:
        subscription = scene.subscribe(entity=SCANS)
        scene.load()
        scene.feed.change(upsert(uuid4(), 1))
        await asyncio.sleep(1)
        assert subscription.rows() == []
        assert scene.feed.meter.events == 1
        assert scene.feed.last_event_at == subscription.last_event_at is not None

    in_loop(work)


def test_the_last_subscription_of_a_table_drops_it() -> None:
    async def work(scene: Scene) -> None:
        told: Deltas = []
        first, second = scene.subscribe(), scene.subscribe()
        others = scene.subscribe(entity=SCANS)
        scene.load()
        first.close()
        assert scene.feed.rows(STREAMS) is not None
        scene.feed.change(upsert(uuid4(), 1))
        wakes = scene.wakes
        second.close()
        second.close()
        assert scene.wakes == wakes + 1
        assert scene.feed.rows(STREAMS) is None
        assert scene.feed.subscriptions == {others}
        await asyncio.sleep(1)
        assert told == []
        scene.feed.discard(second)
        assert scene.feed.subscriptions == {others}

    in_loop(work)


def test_a_callback_may_close_another_subscription() -> None:
    async def work(scene: Scene) -> None:
        told: list[str] = []
        held: list[Subscription[Any]] = []

        def close_all(name: str) -> Callable[[Deltas], None]:
            def on_change(_: Deltas) -> None:
                told.append(name)
                for each in held:
                    each.close()

            return on_change

        held += [scene.subscribe(close_all("a")), scene.subscribe(close_all("b"))]
        scene.load(record(uuid4()))
        assert len(told) == 1

    in_loop(work)


def test_each_status_reaches_every_subscription() -> None:
    async def work(scene: Scene) -> None:
        subscriptions = [scene.subscribe(), scene.subscribe(entity=SCANS)]
        scene.feed.set_status(CONNECTED)
        assert [each.status for each in subscriptions] == [CONNECTED, CONNECTED]
        assert scene.feed.status is CONNECTED

    in_loop(work)


def test_every_subscription_wakes_the_supervisor() -> None:
    async def work(scene: Scene) -> None:
        scene.subscribe()
        assert scene.wakes == 1
        scene.subscribe()
        assert scene.wakes == 2, "its token may be the only usable one"
        scene.load()
        scene.feed.resync_required("streams")
        assert scene.wakes == 3
        assert scene.feed.meter.events == 1
        assert [table.entity for table in scene.feed.unloaded()] == [STREAMS]
        scene.feed.resync_required("agents")
        assert scene.wakes == 3

    in_loop(work)


def test_the_token_owner_is_whose_token_lives_longest() -> None:
    async def work(scene: Scene) -> None:
        assert scene.feed.token_owner() is None
        short = scene.subscribe(member=FakeMember(lives=timedelta(minutes=1)))
        assert scene.feed.token_owner() is short
        longest_member = FakeMember(lives=timedelta(hours=2))
        longest = scene.subscribe(member=longest_member)
        scene.subscribe(member=FakeMember(lives=timedelta(hours=1)))
        assert scene.feed.token_owner() is longest
        longest_member.end()
        assert scene.feed.token_owner() not in (longest, short, None)

    in_loop(work)


@pytest.mark.parametrize("lives", [timedelta(seconds=-5), timedelta(seconds=0)])
def test_a_token_that_is_about_to_expire_is_not_usable(lives: timedelta) -> None:
    async def work(scene: Scene) -> None:
        scene.subscribe(member=FakeMember(lives=lives))
        assert scene.feed.token_owner() is None

    in_loop(work)


def test_a_probe_ends_its_own_wait() -> None:
    async def work(scene: Scene) -> None:
        first, second = uuid4(), uuid4()
        waits = [scene.feed.expect_probe(first), scene.feed.expect_probe(second)]
        scene.feed.probe(uuid4())
        scene.feed.probe(first)
        scene.feed.probe(first)
        await asyncio.sleep(0)
        assert [wait.done() for wait in waits] == [True, False]
        waits[1].cancel()
        scene.feed.probe(second)
        await asyncio.sleep(0)
        assert scene.feed._probes == {}

    in_loop(work)


def test_a_change_of_memberships_is_passed_on() -> None:
    async def work(scene: Scene) -> None:
        scene.feed.membership()
        scene.feed.recheck_subscriptions()
        assert scene.memberships == [ORG_TOPIC, ORG_TOPIC]
        assert scene.feed.meter.events == 1

    in_loop(work)


@pytest.mark.parametrize(
    ("payload", "id"),
    [
        ({"table": "streams", "record": {"id": "x"}}, "x"),
        ({"table": "streams", "old_record": {"id": "y"}}, "y"),
        ({"table": "streams", "record": "nonsense"}, "None"),
        ({"table": "streams"}, "None"),
    ],
)
def test_an_event_that_cannot_be_decoded_is_quarantined(payload: dict[str, Any], id: str) -> None:
    async def work(scene: Scene) -> None:
        scene.feed.malformed(payload, "no version")
        assert scene.quarantined == [("streams", id, "no version")]
        assert scene.feed.meter.events == 1

    in_loop(work)


def test_only_rows_that_were_wrong_count_as_repaired() -> None:
    async def work(scene: Scene) -> None:
        cut: LiveTable[Stream] = STREAMS
        ids = [uuid4() for _ in range(3)]
        scene.subscribe(entity=cut)
        scene.load(*(record(id) for id in ids))
        scene.feed.buffer_changes()
        assert scene.load(record(ids[0]), record(ids[1], 2)) == 2, "one changed and one was deleted"
        scene.feed.buffer_changes()
        full = [record(UUID(int=n)) for n in range(cut.limit)]
        assert scene.load(*full) == cut.limit, "rows that fell beyond the limit were not wrong"

    in_loop(work)


def test_a_table_with_an_interval_tells_what_changes_in_step_together_and_holds_it_at_once() -> None:
    async def work(scene: Scene) -> None:
        told: list[Deltas] = []
        subscription = scene.subscribe(told.append, entity=replace(STREAMS, interval=1.0))
        scene.load()
        ids = [uuid4() for _ in range(4)]
        for id in ids:
            scene.feed.change(upsert(id, 1))
        assert [[delta.id for delta in each] for each in told] == [ids[:1]]
        assert {row.id for row in subscription.rows()} == set(ids)
        await asyncio.sleep(1.0)
        assert [[delta.id for delta in each] for each in told] == [ids[:1], ids[1:]]

    in_loop(work)
