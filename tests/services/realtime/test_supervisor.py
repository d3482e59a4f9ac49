"""The supervisor against a database and a Realtime server in memory, in virtual time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest

from services.entities import ALERTS, SCANS, STREAMS, ConnectionStatus, Entity, Scope, Topic
from services.errors import FeedError, FeedRefused
from services.feed_kind import FeedKind
from services.realtime import supervisor as module
from services.realtime.feed import Feed
from services.realtime.status import FeedStatus
from services.realtime.subscription import Subscription
from services.realtime.supervisor import Supervisor
from tests.services.realtime.fakes import (
    ORG_TOPIC,
    FakeDatabase,
    FakeMember,
    FakeServer,
    FullRandom,
    delete,
    record,
    upsert,
)
from tests.virtual_time import run

CONNECTING, CONNECTED = ConnectionStatus.CONNECTING, ConnectionStatus.CONNECTED
DISCONNECTED, ERROR = ConnectionStatus.DISCONNECTED, ConnectionStatus.ERROR


@dataclass(kw_only=True)
class Scene:
    """One supervised feed, and everything that it reported."""

    server: FakeServer
    database: FakeDatabase
    feed: Feed
    supervisor: Supervisor
    rechecks: list[Topic]
    statuses: list[FeedStatus] = field(default_factory=list)

    def subscribe(self, member: FakeMember, entity: Entity[Any] = STREAMS) -> Subscription[Any]:
        subscription = Subscription(
            entity,
            self.feed.topic,
            session=member,
            where=None,
            on_change=None,
            on_status=self.statuses.append,
            on_close=self.feed.discard,
        )
        self.feed.add(subscription)
        return subscription

    @property
    def status(self) -> ConnectionStatus:
        return self.feed.status.status


@asynccontextmanager
async def scene(*, kind: FeedKind = FeedKind.BROADCAST, topic: Topic = ORG_TOPIC) -> AsyncIterator[Scene]:
    server = FakeServer(kind)
    database = FakeDatabase(server)
    rechecks: list[Topic] = []
    feed = Feed(topic, quarantine=lambda *_: None, on_membership=rechecks.append)
    supervisor = Supervisor(feed, transport=server, source=database, random=FullRandom())
    try:
        yield Scene(server=server, database=database, feed=feed, supervisor=supervisor, rechecks=rechecks)
    finally:
        await supervisor.aclose()
        assert len(asyncio.all_tasks()) == 1


async def settled() -> None:
    """Let everything happen that needs no time."""
    await asyncio.sleep(0.001)


def test_it_joins_loads_and_is_connected() -> None:
    async def work() -> None:
        async with scene() as each:
            id = uuid4()
            each.database.records["streams"] = [record(id, 3)]
            subscription = each.subscribe(FakeMember())
            await settled()
            assert [row.id for row in subscription.rows()] == [id]
            assert each.status is CONNECTED
            connected_at = each.feed.status.connected_at
            assert connected_at
            assert datetime.now(UTC) - connected_at < timedelta(minutes=1)
            assert [status.status for status in each.statuses] == [CONNECTING, CONNECTING, CONNECTING, CONNECTED] + [
                CONNECTED
            ] * (len(each.statuses) - 4)
            assert each.statuses[1].attempt == 1
            assert each.rechecks == []

    run(work())


def test_changes_while_the_snapshot_is_read_are_applied_after_it() -> None:
    async def work() -> None:
        async with scene() as each:
            kept, gone = uuid4(), uuid4()
            each.database.records["streams"] = [record(kept, 1), record(gone, 1)]
            subscription = each.subscribe(FakeMember())

            def meanwhile() -> None:
                each.feed.change(upsert(kept, 2))
                each.feed.change(delete(gone, 2))

            each.database.on_snapshot = meanwhile
            await settled()
            assert [(row.id, row.version) for row in subscription.rows()] == [(kept, 2)]

    run(work())


def test_after_a_loss_it_joins_again_and_reads_the_tables_again() -> None:
    async def work() -> None:
        async with scene() as each:
            first, second = uuid4(), uuid4()
            each.database.records["streams"] = [record(first)]
            subscription = each.subscribe(FakeMember())
            await settled()
            each.database.records["streams"] = [record(second)]
            each.statuses.clear()
            each.server.lose("the socket was closed")
            await settled()
            assert each.status is DISCONNECTED
            assert each.feed.status.cause == "Realtime was lost: the socket was closed."
            retry_at = each.feed.status.retry_at
            assert retry_at
            assert timedelta(0) < retry_at - datetime.now(UTC) <= timedelta(seconds=0.25)
            await asyncio.sleep(0.3)
            assert each.status is CONNECTED
            assert [row.id for row in subscription.rows()] == [second]
            assert each.feed.meter.connections == 2
            assert each.feed.meter._totals.losses == 1

    run(work())


def test_the_backoff_doubles_to_its_maximum_and_starts_again_after_a_success() -> None:
    async def work() -> None:
        async with scene() as each:
            each.server.refusal = FeedError("The channel could not be joined.")
            each.subscribe(FakeMember())
            await asyncio.sleep(200)
            joins = each.server.joins
            gaps = [later - earlier for earlier, later in pairwise(joins)]
            assert gaps == pytest.approx([0.5, 1, 2, 4, 8, 16, *[30] * (len(gaps) - 6)], abs=0.01)
            assert len(gaps) >= 8
            assert each.feed.status.attempt == len(joins)
            each.server.refusal = None
            await asyncio.sleep(30)
            assert each.status is CONNECTED
            joined = len(joins)
            each.server.lose()
            await asyncio.sleep(0.3)
            assert len(joins) == joined + 1
            assert each.status is CONNECTED

    run(work())


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (FeedError("Not joined in time."), DISCONNECTED),
        (FeedRefused("Too many channels."), ERROR),
        (RuntimeError("a bug"), ERROR),
    ],
)
def test_each_failure_to_join_has_its_status_and_is_tried_again(error: Exception, status: ConnectionStatus) -> None:
    async def work() -> None:
        async with scene() as each:
            each.server.refusal = error
            each.subscribe(FakeMember())
            await settled()
            assert each.status is status
            expected = "The feed failed; the log has the reason." if isinstance(error, RuntimeError) else str(error)
            assert each.feed.status.cause == expected
            each.server.refusal = None
            await asyncio.sleep(1)
            assert each.status is CONNECTED
            assert each.feed.status.cause is None or not each.feed.status.cause

    run(work())


def test_retry_does_not_wait_for_the_backoff() -> None:
    async def work() -> None:
        async with scene() as each:
            each.server.refusal = FeedError("Not joined in time.")
            each.subscribe(FakeMember())
            await asyncio.sleep(50)
            each.server.refusal = None
            each.supervisor.retry()
            await settled()
            assert each.status is CONNECTED

    run(work())


def test_a_retry_while_connected_does_not_shorten_a_later_backoff() -> None:
    async def work() -> None:
        async with scene() as each:
            each.subscribe(FakeMember())
            await settled()
            each.supervisor.retry()
            each.server.lose()
            await asyncio.sleep(0.2)
            assert each.status is DISCONNECTED
            await asyncio.sleep(0.1)
            assert each.status is CONNECTED

    run(work())


def test_a_loss_is_reported_before_the_channel_is_left() -> None:
    async def work() -> None:
        async with scene() as each:
            each.server.leave_delay = 5
            each.subscribe(FakeMember())
            await settled()
            each.server.lose()
            await settled()
            assert each.status is DISCONNECTED
            assert len(each.server.links) == 1

    run(work())


def test_an_unreachable_server_is_tried_as_soon_as_it_is_reachable() -> None:
    async def work() -> None:
        async with scene() as each:
            each.server.refusal, each.server.is_up = FeedError("Connection refused."), False
            each.subscribe(FakeMember())
            await asyncio.sleep(70)
            assert each.server.joins[-1] < 65
            each.server.refusal, each.server.is_up = None, True
            await asyncio.sleep(module.REACHABLE_INTERVAL_SECONDS + 0.01)
            assert each.status is CONNECTED

    run(work())


def test_probes_measure_the_lag_every_five_seconds() -> None:
    async def work() -> None:
        async with scene() as each:
            each.server.probe_delay = 0.2
            each.subscribe(FakeMember())
            await asyncio.sleep(26)
            assert each.feed.status.lag == pytest.approx(0.2, abs=0.01)
            assert len(each.feed.meter._lags) == 5
            assert each.status is CONNECTED

    run(work())


def test_a_probe_that_does_not_come_back_ends_the_connection() -> None:
    async def work() -> None:
        async with scene() as each:
            each.subscribe(FakeMember())
            await asyncio.sleep(4)
            each.server.delivers_probes = False
            await asyncio.sleep(1 + module.PROBE_TIMEOUT_SECONDS + 0.4)
            assert each.feed.meter.missed_probes == 1
            assert each.feed.meter._totals.losses == 1
            causes = [status.cause for status in each.statuses if status.status is DISCONNECTED]
            assert causes[0] == f"A probe did not come back within {module.PROBE_TIMEOUT_SECONDS:.0f} s."
            assert each.feed.status.missed_probes == 1
            await asyncio.sleep(1)
            assert len(each.feed._probes) == 1, "only the probe of the next connection is awaited"

    run(work())


def test_a_database_that_does_not_answer_a_probe_ends_the_connection_with_its_cause() -> None:
    async def work() -> None:
        async with scene() as each:
            each.subscribe(FakeMember())
            await asyncio.sleep(4)
            each.database.is_down = True
            await asyncio.sleep(1.2)
            assert each.status is DISCONNECTED
            assert each.feed.status.cause == "The database does not answer."
            each.database.is_down = False
            await asyncio.sleep(10)
            assert each.status is CONNECTED
            assert each.feed._probes == {}

    run(work())


def test_a_change_that_was_missed_is_found_within_a_minute() -> None:
    async def work() -> None:
        async with scene() as each:
            id = uuid4()
            each.database.records["streams"] = [record(id, 1)]
            subscription = each.subscribe(FakeMember())
            await asyncio.sleep(1)
            each.database.records["streams"] = [record(id, 2)]
            await asyncio.sleep(57)
            assert [row.version for row in subscription.rows()] == [1]
            await asyncio.sleep(8)
            assert [row.version for row in subscription.rows()] == [2]
            assert each.feed.meter.repaired_rows == 1
            snapshots = len(each.database.snapshots)
            await asyncio.sleep(130)
            assert len(each.database.snapshots) == snapshots
            assert [round(time / 60) for time in each.database.comparisons] == [1, 2, 3]
            assert each.feed.meter.connections == 1

    run(work())


def test_a_row_that_is_inserted_while_a_reconcile_reads_the_table_stays() -> None:
    async def work() -> None:
        async with scene() as each:
            missed, inserted = uuid4(), uuid4()
            subscription = each.subscribe(FakeMember())
            await asyncio.sleep(1)
            each.database.records["streams"] = [record(missed)]
            each.database.on_snapshot = lambda: each.feed.change(upsert(inserted, 2))
            await asyncio.sleep(65)
            assert {row.id for row in subscription.rows()} == {missed, inserted}

    run(work())


def test_a_table_of_a_later_subscription_is_loaded_at_once() -> None:
    async def work() -> None:
        async with scene() as each:
            member = FakeMember()
            each.subscribe(member)
            await settled()
            scans = each.subscribe(member, SCANS)
            await settled()
            assert scans.is_loaded
            assert each.database.snapshots == ["streams", SCANS.table]
            assert each.feed.meter.connections == 1

    run(work())


def test_a_resync_reads_only_its_table_again() -> None:
    async def work() -> None:
        async with scene() as each:
            member = FakeMember()
            each.subscribe(member)
            each.subscribe(member, SCANS)
            await settled()
            each.feed.resync_required("streams")
            await settled()
            assert sorted(each.database.snapshots) == sorted(["streams", "streams", SCANS.table])

    run(work())


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


def test_closing_while_it_waits_ends_its_task() -> None:
    async def work() -> None:
        async with scene() as each:
            each.server.refusal = FeedError("Not joined in time.")
            each.subscribe(FakeMember())
            await asyncio.sleep(10)
            await each.supervisor.aclose()
            await each.supervisor.aclose()
            joins = len(each.server.joins)
            await asyncio.sleep(100)
            assert len(each.server.joins) == joins

    run(work())
