"""The delivery worker as a thread: when it wakes, flushes, backs off and lets go."""

import threading
import time
from collections.abc import Sequence

import pytest
from livewatch.delivery.backoff import Backoff
from livewatch.delivery.client import Response, UnreachableError
from livewatch.delivery.delivery_worker import DeliveryWorker
from livewatch.delivery.disk_queue import DiskQueue
from livewatch.delivery.operations import Operation

from tests.sdk.delivery_bench import Batch, Bench, FakeLock, FakeTransport, accept
from tests.speed import deadline, wait_until


def test_the_worker_waits_for_the_backoff_to_the_end(bench: Bench) -> None:
    """By the clock, which stands still until the test moves it."""

    def fail(_: Batch) -> Response:
        raise UnreachableError("cannot reach it")

    bench.transport.answer = fail
    bench.add("a")
    bench.worker.wake()
    wait_until(lambda: bench.backoff.failures == 1)
    bench.clock.now += 0.4
    bench.worker.wake()
    time.sleep(0.1)
    assert len(bench.transport.batches) == 1
    bench.clock.now += 0.1
    wait_until(lambda: len(bench.transport.batches) == 2)


def test_after_a_failure_the_worker_tries_again_by_itself() -> None:
    def fail_once(_: Batch) -> Response:
        transport.answer = accept
        raise UnreachableError("cannot reach it")

    transport, queue = FakeTransport(fail_once), DiskQueue(None, "d")
    backoff = Backoff(uniform=lambda low, _: low)
    worker = DeliveryWorker(transport, queue, FakeLock(), list, backoff=backoff)
    queue.append([Operation("POST", "/x/a", "{}", "k")])
    worker.wake()
    wait_until(lambda: not queue.pending_count())
    assert transport.paths == [["/x/a"], ["/x/a"]]
    worker.close(deadline(1))


def test_a_flush_respects_only_a_wait_that_the_server_requested(bench: Bench) -> None:
    bench.transport.answer = lambda _: Response(429, None, retry_after=7.0)
    bench.add("a")
    bench.worker.deliver()
    assert not bench.worker.flush(6.9)
    assert len(bench.transport.batches) == 1, "it returned at once"
    bench.transport.answer = accept
    bench.clock.now += 7.0
    assert bench.worker.flush(deadline(5))
    assert len(bench.transport.batches) == 2
    bench.transport.answer = lambda _: Response(401, None)
    bench.add("b")
    assert not bench.worker.flush(deadline(5))
    bench.transport.answer = accept
    assert bench.worker.flush(deadline(5)), "the minute is not waited for"


def real_worker(transport: FakeTransport, queue: DiskQueue, runs: Sequence[str] = ()) -> DeliveryWorker:
    return DeliveryWorker(transport, queue, FakeLock(), lambda: list(runs), heartbeat_seconds=0.05)


def test_a_flush_wakes_an_idle_worker_which_is_idle_again_afterwards() -> None:
    rounds: list[bool] = []

    def active_runs() -> list[str]:
        rounds.append(True)
        return []

    transport, queue = FakeTransport(), DiskQueue(None, "d")
    worker = DeliveryWorker(transport, queue, FakeLock(), active_runs)
    worker.wake()
    wait_until(lambda: rounds)
    assert [each.daemon for each in threading.enumerate() if each.name == "livewatch delivery"] == [True]
    for n in range(3):
        queue.append([Operation("POST", f"/x/{n}", "{}", f"{n}")])
        assert worker.flush(deadline(5))
    assert transport.paths == [["/x/0"], ["/x/1"], ["/x/2"]]
    count = len(rounds)
    time.sleep(0.2)
    assert len(rounds) == count, "nothing to do, nothing done"
    worker.close(deadline(1))


def test_by_default_heartbeats_are_declared_every_15_seconds(bench: Bench) -> None:
    worker = DeliveryWorker(bench.transport, bench.queue, bench.lock, lambda: ["streams/a"])
    worker.deliver()
    assert bench.transport.batches[0][0]["body"] == {"runs": ["streams/a"], "interval": 15.0}


def test_a_flush_during_a_round_that_fails_gets_a_round_of_its_own() -> None:
    """The failed round does not answer it, nor does it wait for the minute after a rejected key."""
    sent, may_answer = threading.Event(), threading.Event()

    def slow_rejection(_: Batch) -> Response:
        sent.set()
        assert may_answer.wait(deadline(5))
        transport.answer = accept
        return Response(401, None)

    transport, queue = FakeTransport(slow_rejection), DiskQueue(None, "d")
    worker = real_worker(transport, queue)
    queue.append([Operation("POST", "/x/a", "{}", "k")])
    worker.wake()
    assert sent.wait(deadline(5))
    answers: list[bool] = []
    flush = threading.Thread(target=lambda: answers.append(worker.flush(deadline(5))))
    flush.start()
    wait_until(lambda: worker._flushes_requested)
    may_answer.set()
    flush.join(deadline(5))
    assert answers == [True]
    assert len(transport.batches) == 2
    worker.close(deadline(1))


def test_it_beats_by_itself_until_it_is_closed_and_lets_go_of_everything() -> None:
    transport, queue = FakeTransport(), DiskQueue(None, "d")
    worker = real_worker(transport, queue, ["streams/a"])
    worker.wake()
    wait_until(lambda: len(transport.batches) >= 3)
    worker.close(deadline(5))
    assert transport.ended == ["close"]
    assert not queue.is_open
    count = len(transport.batches)
    queue.append([Operation("POST", "/x/a", "{}", "k")])
    worker.wake()
    assert not worker.flush(0.2)
    assert len(transport.batches) == count
    assert not any(thread.name == "livewatch delivery" for thread in threading.enumerate())
    queue.close()


def test_a_worker_that_never_started_is_closed_at_once() -> None:
    transport, lock = FakeTransport(), FakeLock()
    worker = DeliveryWorker(transport, DiskQueue(None, "d"), lock, list)
    worker.close()
    assert transport.ended == ["close"]
    assert lock.is_closed


def test_where_no_thread_can_start_a_flush_delivers_by_itself(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread at interpreter shutdown")

    bench.add("a")
    monkeypatch.setattr(threading.Thread, "start", fail)
    assert bench.worker.flush(0.0)
    assert bench.transport.paths == [["/x/a"]]


def test_a_forked_child_lets_go_of_the_parents_connection_and_starts_no_thread(bench: Bench) -> None:
    bench.worker.abandon()
    assert bench.transport.ended == ["abandon"]
    assert bench.lock.is_closed
    bench.worker.wake()
    assert bench.worker._thread is None
