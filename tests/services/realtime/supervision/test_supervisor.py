"""The supervisor connects, and after any failure connects again, in virtual time."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest

from services.entities import SCANS, ConnectionStatus
from services.errors import DatabaseTimeLimit, FeedError, FeedRefused
from services.realtime.supervision import probe
from services.realtime.supervision import supervisor as module
from tests.services.realtime.fakes import FakeMember, record, upsert
from tests.services.realtime.supervision.scene import scene, settled
from tests.virtual_time import run

CONNECTED = ConnectionStatus.CONNECTED
CONNECTING = ConnectionStatus.CONNECTING
DISCONNECTED = ConnectionStatus.DISCONNECTED
ERROR = ConnectionStatus.ERROR


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
        (asyncio.CancelledError(), ERROR),
    ],
)
def test_each_failure_to_join_has_its_status_and_is_tried_again(error: BaseException, status: ConnectionStatus) -> None:
    async def work() -> None:
        async with scene() as each:
            each.server.refusal = error
            each.subscribe(FakeMember())
            await settled()
            assert each.status is status
            expected = str(error) if isinstance(error, FeedError) else "The feed failed; the log has the reason."
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


def test_a_database_that_was_away_is_tried_as_soon_as_it_is_back() -> None:
    """Realtime answers all the while: what was away is PostgreSQL, or had no connection free."""

    async def work() -> None:
        async with scene() as each:
            each.database.is_down = True
            each.subscribe(FakeMember())
            await asyncio.sleep(100)
            assert each.status is DISCONNECTED
            assert each.feed.status.cause == "The database does not answer."
            assert each.feed.status.retry_at
            each.database.is_down = False
            await asyncio.sleep(module.REACHABLE_INTERVAL_SECONDS + 0.1)
            assert each.status is CONNECTED

    run(work())


def test_a_snapshot_that_fails_while_connected_is_said_and_made_good(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        async with scene() as each:
            each.subscribe(FakeMember())
            await settled()
            assert each.status is CONNECTED
            snapshot = each.database.snapshot
            is_slow = True

            async def failing(*arguments: Any) -> list[dict[str, Any]]:
                if is_slow:
                    raise DatabaseTimeLimit("It took longer than the time limit.")
                return await snapshot(*arguments)

            monkeypatch.setattr(each.database, "snapshot", failing)
            each.database.records["acquisition_scans"] = [record(uuid4(), 1)]
            scans = each.subscribe(FakeMember(), SCANS)
            await settled()
            assert each.status is DISCONNECTED
            assert each.feed.status.cause == "It took longer than the time limit."
            is_slow = False
            await asyncio.sleep(1)
            assert each.status is CONNECTED
            assert len(scans.rows()) == 1

    run(work())


@pytest.mark.parametrize("silent_read", ["probe", "snapshot"])
def test_a_half_open_database_is_told_within_ten_seconds(monkeypatch: pytest.MonkeyPatch, silent_read: str) -> None:
    """The driver takes another ten seconds to cancel a statement on a connection that answers nothing."""

    async def work() -> None:
        async with scene() as each:
            monkeypatch.setattr(probe, "PROBE_TIMEOUT_SECONDS", 3.0)
            each.subscribe(FakeMember())
            await settled()

            async def silent(*_: Any) -> None:
                try:
                    await asyncio.sleep(1000)
                finally:
                    await asyncio.sleep(10)

            monkeypatch.setattr(each.database, "probe", silent)
            if silent_read == "snapshot":
                monkeypatch.setattr(each.database, "snapshot", silent)
                each.subscribe(FakeMember(), SCANS)
            await asyncio.sleep(probe.PROBE_INTERVAL_SECONDS + probe.PROBE_TIMEOUT_SECONDS + 1)
            assert any(status.status is DISCONNECTED for status in each.statuses)
            causes = [status.cause for status in each.statuses if status.status is DISCONNECTED]
            assert "PostgreSQL did not respond" in causes[0]
            await each.supervisor.aclose()
            await asyncio.sleep(30)

    run(work())


def test_a_probe_behind_many_changes_keeps_the_channel_and_does_not_claim_to_be_live(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work() -> None:
        async with scene() as each:
            monkeypatch.setattr(probe, "PROBE_TIMEOUT_SECONDS", 3.0)
            each.subscribe(FakeMember())
            await settled()
            each.server.probe_delay = 12.0
            clock = asyncio.get_running_loop().time
            began = clock()
            while each.status is CONNECTED:
                each.feed.change(upsert(uuid4(), each.feed.meter.events + 1))
                await asyncio.sleep(0.1)
            assert clock() - began < 10
            assert each.feed.status.cause == probe.BEHIND
            for _ in range(30):
                each.feed.change(upsert(uuid4(), each.feed.meter.events + 1))
                await asyncio.sleep(0.1)
            assert each.status is CONNECTING
            each.server.probe_delay = 0.0
            for _ in range(60):
                each.feed.change(upsert(uuid4(), each.feed.meter.events + 1))
                await asyncio.sleep(0.1)
            assert each.status is CONNECTED
            assert each.feed.status.cause == ""
            assert each.feed.meter.reconnects == 0

    run(work())


def test_a_row_that_its_event_leaves_out_is_read() -> None:
    async def work() -> None:
        async with scene() as each:
            large, other = uuid4(), uuid4()
            each.database.records["streams"] = [record(large, 1), record(other, 1)]
            subscription = each.subscribe(FakeMember())
            await settled()
            each.database.records["streams"] = [record(large, 5), record(other, 1)]
            for _ in range(3):
                each.feed.row_left_out("streams", large)
            each.feed.row_left_out("streams", uuid4())
            await settled()
            row = subscription.get(large)
            assert row
            assert row.version == 5
            assert [len(ids) for ids in each.database.reads] == [2], "once, and both together"
            assert each.database.snapshots == ["streams"]
            assert each.status is CONNECTED

    run(work())
