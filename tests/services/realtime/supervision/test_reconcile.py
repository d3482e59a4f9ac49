"""The supervisor keeps rows equal to the database: snapshots, probes and reconciles, in virtual time."""

import asyncio
from uuid import uuid4

import pytest

from services.entities import SCANS, ConnectionStatus
from services.feed_kind import FeedKind
from services.realtime.supervision import probe
from tests.services.realtime.fakes import FakeMember, delete, record, upsert
from tests.services.realtime.supervision.scene import scene, settled
from tests.virtual_time import run

CONNECTED = ConnectionStatus.CONNECTED
DISCONNECTED = ConnectionStatus.DISCONNECTED


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


def test_a_delete_that_is_told_before_the_snapshot_sees_it_counts() -> None:
    async def work() -> None:
        async with scene(kind=FeedKind.POSTGRES_CHANGES) as each:
            gone = uuid4()
            each.database.records["streams"] = [record(gone, 1)]
            subscription = each.subscribe(FakeMember())
            each.server.on_join = lambda: each.feed.change(delete(gone, 0))
            await settled()
            assert each.status is CONNECTED
            assert subscription.rows() == []

    run(work())


def test_a_large_row_that_is_deleted_while_it_is_read_does_not_come_back() -> None:
    async def work() -> None:
        async with scene(kind=FeedKind.POSTGRES_CHANGES) as each:
            subscription = each.subscribe(FakeMember())
            await settled()
            stays, gone = uuid4(), uuid4()
            each.database.records["streams"] = [record(stays, 1), record(gone, 1)]
            each.database.on_read = lambda: each.feed.change(delete(gone, 0))
            each.feed.row_left_out("streams", stays)
            each.feed.row_left_out("streams", gone)
            await settled()
            assert [row.id for row in subscription.rows()] == [stays]

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
            await asyncio.sleep(1 + probe.PROBE_TIMEOUT_SECONDS + 0.4)
            assert each.feed.meter.missed_probes == 1
            assert each.feed.meter._totals.losses == 1
            causes = [status.cause for status in each.statuses if status.status is DISCONNECTED]
            assert causes[0] == f"A probe did not come back within {probe.PROBE_TIMEOUT_SECONDS:.0f} s."
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


def test_a_resync_while_the_table_is_read_reads_it_once_more() -> None:
    async def work() -> None:
        async with scene() as each:
            truncated, later = uuid4(), uuid4()

            def truncate() -> None:
                each.database.on_snapshot = None
                each.feed.change(upsert(later, 1))
                each.database.records["streams"] = [record(later)]
                each.feed.resync_required("streams")

            each.database.records["streams"] = [record(truncated)]
            each.database.on_snapshot = truncate
            subscription = each.subscribe(FakeMember())
            await settled()
            assert [row.id for row in subscription.rows()] == [later]
            assert each.database.snapshots == ["streams", "streams"]

    run(work())


def test_a_reconcile_takes_an_earlier_state_of_the_database() -> None:
    async def work() -> None:
        async with scene() as each:
            id = uuid4()
            each.database.records["streams"] = [record(id, 9)]
            subscription = each.subscribe(FakeMember())
            await asyncio.sleep(1)
            each.database.records["streams"] = [record(id, 4)]
            await asyncio.sleep(65)
            assert [row.version for row in subscription.rows()] == [4]
            await asyncio.sleep(65)
            assert each.database.snapshots == ["streams", "streams"], "equal again, nothing is read"

    run(work())
