"""What the delivery worker sends: batches in order, heartbeats, and nothing while another process delivers."""

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from livewatch.delivery import batches
from livewatch.delivery.batches import BatchSender
from livewatch.delivery.client import Response
from livewatch.delivery.clock import Moment
from livewatch.delivery.delivery_lock import DeliveryLock
from livewatch.delivery.delivery_worker import DeliveryWorker
from livewatch.delivery.disk_queue import DiskQueue, Entry
from livewatch.delivery.operations import Operation

from tests.clock import Clock
from tests.sdk.delivery_bench import Bench, FakeLock, FakeTransport, accept
from tests.speed import deadline

DEFAULT_BATCH_BYTES = 600 * 1024


def test_operations_are_sent_in_order_in_batches_of_500_and_removed(bench: Bench) -> None:
    names = [f"{n}" for n in range(1_201)]
    bench.add(*names)
    bench.worker.deliver()
    assert [len(batch) for batch in bench.transport.batches] == [500, 500, 201]
    assert [path for batch in bench.transport.paths for path in batch] == [f"/x/{name}" for name in names]
    assert bench.queued() == []
    assert bench.worker.last_error is None
    assert not bench.lock.is_held
    bench.worker.deliver()
    assert len(bench.transport.batches) == 3, "nothing to send, nothing sent"


def test_an_operation_is_sent_as_it_was_queued(bench: Bench) -> None:
    bench.queue.append([Operation("PUT", '/x/"a"', '{"n":1}', "key1")])
    bench.worker.deliver()
    ((sent,),) = bench.transport.batches
    assert 0 <= sent.pop("age") < 60
    assert abs(time.time() - datetime.fromisoformat(sent.pop("made_at")).timestamp()) < 60
    assert sent == {"method": "PUT", "path": '/x/"a"', "body": {"n": 1}, "idempotency_key": "key1"}


def test_an_operation_that_waited_tells_for_how_long(bench: Bench) -> None:
    now = Moment()
    # As by a clock that was set from 1970 to the present meanwhile.
    bench.queue.append([Operation("PUT", "/x/a", "{}", "k", made=Moment(0.0, now.uptime - 40))])
    bench.worker.deliver()
    ((sent,),) = bench.transport.batches
    assert sent["age"] == pytest.approx(40, abs=5)
    assert sent["made_at"] == "1970-01-01T00:00:00+00:00"


def test_a_batch_is_dated_after_the_one_before_it_however_long_that_was_on_its_way(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry that was postponed keeps its time but for what the last request took."""
    clock = Clock(1_000.0)
    monkeypatch.setattr(batches, "uptime", clock)
    dated: list[float] = []

    def answer(batch: list[dict[str, Any]]) -> Response:
        clock.now += latencies.pop(0)
        dated.extend(clock() - each["age"] for each in batch)
        return accept(batch)

    bench.transport.answer = answer
    sender = BatchSender(bench.transport, bench.queue)
    latencies = [2.0, 0.1, 0.1]
    for made_at, sent_at in ((999.9, 1_000.0), (1_000.5, 1_002.0), (900.0, 1_003.0)):
        clock.now = sent_at
        operation = Operation("PUT", "/x/a", "{}", f"{made_at}")
        sender.send([Entry(1, operation, 0, clock() - made_at)], [])
    assert dated == [pytest.approx(1_001.9), pytest.approx(1_002.0), pytest.approx(900.2)]


def test_a_batch_stays_below_the_size_that_the_server_takes(bench: Bench) -> None:
    body = json.dumps({"text": "x" * 100_000})
    bench.add(*"abcdefgh", body=body)
    bench.worker.deliver()
    assert [len(batch) for batch in bench.transport.batches] == [6, 2]
    assert 6 * len(body) < DEFAULT_BATCH_BYTES < 7 * len(body)


def test_each_new_run_gets_a_heartbeat_at_once_and_then_all_get_one_each_interval(bench: Bench) -> None:
    def beats() -> list[Any]:
        sent = [each["body"] for batch in bench.transport.batches for each in batch if each["path"] == "/heartbeats"]
        bench.transport.batches.clear()
        return sent

    bench.worker.deliver()
    assert beats() == []
    bench.runs += ["streams/a"]
    bench.worker.deliver()
    assert beats() == [{"runs": ["streams/a"], "interval": 15.0}]
    bench.clock.now += 10
    bench.runs += ["streams/b"]
    bench.worker.deliver()
    assert beats() == [{"runs": ["streams/b"], "interval": 15.0}]
    bench.clock.now += 4.9
    bench.worker.deliver()
    assert beats() == []
    bench.clock.now += 0.1
    bench.worker.deliver()
    assert beats() == [{"runs": ["streams/a", "streams/b"], "interval": 15.0}]
    bench.clock.now += 14.9
    bench.worker.deliver()
    assert beats() == []
    bench.clock.now += 0.1
    bench.runs.clear()
    bench.worker.deliver()
    assert beats() == []
    bench.runs += ["streams/a"]
    bench.worker.deliver()
    assert beats() == [{"runs": ["streams/a"], "interval": 15.0}], "it is new again"


def test_heartbeats_follow_the_last_batch_in_groups_that_the_server_takes(bench: Bench) -> None:
    bench.runs += [f"streams/{n}" for n in range(501)]
    bench.add(*(f"{n}" for n in range(600)))
    bench.worker.deliver()
    assert [batch.count("/heartbeats") for batch in bench.transport.paths] == [0, 2]
    groups = [len(each["body"]["runs"]) for each in bench.transport.batches[-1] if each["path"] == "/heartbeats"]
    assert groups == [500, 1]


def test_while_another_process_delivers_ours_wait_for_it_quietly(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.lock.is_held_elsewhere = True
    bench.add("a")
    bench.runs += ["streams/a"]
    bench.worker.deliver()
    assert bench.transport.batches == []
    assert (bench.delay(), bench.backoff.failures, caplog.messages) == (0.2, 0, [])
    bench.lock.is_held_elsewhere = False
    bench.worker.deliver()
    assert bench.transport.paths == [["/x/a", "/heartbeats"]]


def test_while_another_process_delivers_heartbeats_are_sent_all_the_same(bench: Bench) -> None:
    bench.lock.is_held_elsewhere = True
    bench.runs += ["streams/a"]
    bench.worker.deliver()
    assert bench.transport.paths == [["/heartbeats"]]
    assert bench.worker.last_error is None


def test_a_flush_is_done_when_only_others_updates_are_left(tmp_path: Path) -> None:
    other, queue = (DiskQueue(tmp_path / "s.sqlite", "d") for _ in range(2))
    other.append([Operation("POST", "/x/a", "{}", "k")])
    lock = FakeLock()
    lock.is_held_elsewhere = True
    worker = DeliveryWorker(FakeTransport(), queue, lock, list)
    assert worker.flush(deadline(5))
    assert worker.last_error is None
    assert queue.pending_count() == 1
    worker.close(deadline(1))
    other.close()


def test_the_lock_keeps_out_other_processes_only_and_only_of_its_destination(tmp_path: Path) -> None:
    lock = DeliveryLock(tmp_path / "q.lock", "0000001aaaaaaaaa")
    assert lock.acquire()
    assert lock.acquire(), "it is ours already"
    lock.release()
    lock.close()
    lock.close()
    assert DeliveryLock(tmp_path / "missing" / "q.lock", "0000001").acquire(), "where there is no file, nobody is out"
