"""A subscription without a network."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from services.entities import STREAMS, ConnectionStatus, Stream
from services.realtime.feed import Feed
from services.realtime.rows import Counts, Delta, Rows
from services.realtime.status import FeedStatus
from services.realtime.subscription import Subscription
from tests.services.realtime.fakes import ORG_TOPIC, FakeMember, delete, record, upsert
from tests.virtual_time import run

Deltas = list[Delta[Stream]]


def subscription_with(**options: Any) -> Subscription[Stream]:
    callbacks: dict[str, Any] = {"where": None, "on_change": None, "on_status": None, "on_close": lambda _: None}
    return Subscription(STREAMS, ORG_TOPIC, session=FakeMember(), **callbacks | options)


def loaded(subscription: Subscription[Stream], *records: dict[str, Any]) -> Feed:
    """A feed that serves the subscription and has its snapshot."""
    feed = Feed(ORG_TOPIC, quarantine=lambda *_: None, on_membership=lambda _: None)
    feed.add(subscription)
    feed.take_snapshot(feed.unloaded()[0], list(records))
    return feed


def is_big(row: Stream) -> bool:
    return (row.total or 0) >= 10


def is_odd(row: Stream) -> bool:
    return row.version % 2 == 1


def test_before_the_snapshot_nothing_is_known() -> None:
    subscription = subscription_with()
    assert not subscription.is_loaded
    assert subscription.rows() == []
    assert subscription.get(uuid4()) is None
    assert subscription.count(is_big) == Counts(0, 0, is_exact=False)
    assert subscription.shared("key", lambda rows: pytest.fail("made")) is None
    assert subscription.derived(uuid4(), lambda row: row.name) is None
    assert subscription.last_event_at is None
    assert subscription.status.status is ConnectionStatus.CONNECTING


def test_a_filter_holds_for_every_read() -> None:
    async def work() -> None:
        big, small = uuid4(), uuid4()
        subscription = subscription_with(where=is_big)
        loaded(subscription, record(big, 1, total=10), record(small, 1, total=9))
        assert [row.id for row in subscription.rows()] == [big]
        assert subscription.get(big)
        assert subscription.get(small) is None
        assert subscription.count(is_odd) == Counts(1, 1, is_exact=True)
        assert subscription.shared("key", lambda rows: pytest.fail("made")) is None
        assert subscription.derived(small, lambda row: row.name) == "v1"

    run(work())


def test_without_a_filter_reads_are_those_of_the_rows() -> None:
    async def work() -> None:
        odd, even = uuid4(), uuid4()
        subscription = subscription_with()
        loaded(subscription, record(odd, 1), record(even, 2))

        class Ids(set[UUID]):
            def mark(self, id: UUID) -> None: ...

            def touch(self) -> None: ...

        def ids(rows: Rows[Stream]) -> Ids:
            return Ids(row.id for row in rows)

        assert subscription.count(is_odd) == Counts(1, 2, is_exact=True)
        assert subscription.shared("key", ids) == {odd, even}
        assert subscription.get(even)

    run(work())


def test_rows_that_enter_and_leave_the_filter_appear_and_are_removed() -> None:
    async def work() -> None:
        id, never = uuid4(), uuid4()
        told: Deltas = []
        subscription = subscription_with(where=is_big, on_change=told.extend)
        feed = loaded(subscription, record(id, 1, total=1), record(never, 1))
        for version, total in ((2, 10), (3, 11), (4, 2), (5, 3)):
            feed.change(upsert(id, version, total=total))
            feed.change(upsert(never, version))
            await asyncio.sleep(1)
        feed.change(delete(id, 6))
        await asyncio.sleep(1)
        versions = [(each.old and each.old.version, each.new and each.new.version) for each in told]
        assert versions == [(None, 2), (2, 3), (3, None)]

    run(work())


def test_an_access_that_is_lost_takes_the_rows_away() -> None:
    async def work() -> None:
        big, small = uuid4(), uuid4()
        told: Deltas = []
        statuses: list[FeedStatus] = []
        closed: list[Any] = []
        subscription = subscription_with(
            where=is_big, on_change=told.extend, on_status=statuses.append, on_close=closed.append
        )
        loaded(subscription, record(big, 1, total=10), record(small, 1, total=1))
        told.clear()
        subscription.deny("No access.")
        assert [(each.id, each.new) for each in told] == [(big, None)]
        assert (statuses[-1].status, statuses[-1].cause) == (ConnectionStatus.ERROR, "No access.")
        assert subscription.status is statuses[-1]
        assert subscription.is_closed
        assert closed == [subscription]
        assert (subscription.is_loaded, subscription.rows()) == (False, [])

    run(work())


def test_a_denial_without_rows_is_only_a_status() -> None:
    told: list[Any] = []
    subscription = subscription_with(on_change=told.append, on_status=told.append)
    subscription.deny("No access.")
    assert [type(each) for each in told] == [FeedStatus]


def test_closing_twice_closes_once() -> None:
    closed: list[Any] = []
    subscription = subscription_with(on_close=closed.append)
    subscription.close()
    subscription.close()
    assert closed == [subscription]


def test_a_callback_that_raises_is_logged_and_affects_no_other() -> None:
    async def work() -> None:
        told: Deltas = []

        def broken(_: Any) -> None:
            raise ValueError("broken")

        async def broken_later(_: Any) -> None:
            await asyncio.sleep(1)
            raise ValueError("broken later")

        with capture_logs() as logs:
            first = subscription_with(on_change=broken, on_status=broken_later)
            feed = loaded(first)
            feed.add(subscription_with(on_change=told.extend))
            feed.change(upsert(uuid4(), 1))
            await asyncio.sleep(5)
        assert len(told) == 1
        failures = [entry for entry in logs if entry["event"] == "subscription callback failed"]
        assert len(failures) >= 3
        assert {(entry["topic"], entry["table"]) for entry in failures} == {(str(ORG_TOPIC), "streams")}
        assert not first._tasks

    run(work())


def test_an_async_callback_is_awaited() -> None:
    async def work() -> None:
        told: Deltas = []

        async def later(deltas: Deltas) -> None:
            await asyncio.sleep(1)
            told.extend(deltas)

        subscription = subscription_with(on_change=later)
        loaded(subscription, record(uuid4()))
        assert told == []
        assert len(subscription._tasks) == 1
        await asyncio.sleep(2)
        assert len(told) == 1
        assert not subscription._tasks

    run(work())
