"""The delivery worker, round by round: batches, heartbeats, acknowledgements, retries and shutdown."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from livewatch.delivery.backoff import Backoff
from livewatch.delivery.client import Response, UnreachableError
from livewatch.delivery.delivery_lock import DeliveryLock
from livewatch.delivery.delivery_worker import DeliveryWorker
from livewatch.delivery.disk_queue import DiskQueue
from livewatch.delivery.errors import MisconfiguredError
from livewatch.delivery.operations import Operation, new_idempotency_key

from tests.clock import Clock
from tests.speed import deadline, wait_until

URL = "http://livewatch.test"
Batch = list[dict[str, Any]]
DEFAULT_BATCH_BYTES = 600 * 1024


def accept(batch: Batch) -> Response:
    return Response(200, {"results": [{"status": 200, "body": {}} for _ in batch]})


def answering(**statuses: int) -> Callable[[Batch], Response]:
    """Answer each operation with the status given for the last segment of its path, else 200."""

    def answer(batch: Batch) -> Response:
        found = [statuses.get(each["path"].rpartition("/")[2], 200) for each in batch]
        return Response(200, {"results": [{"status": status, "body": refusal("no")} for status in found]})

    return answer


def refusal(message: str) -> dict[str, Any]:
    return {"error": {"message": message}}


@dataclass
class FakeTransport:
    """Answer batches by `answer`, which may raise; record batches and calls of `close` and `abandon`."""

    answer: Callable[[Batch], Response] = accept
    batches: list[Batch] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    url: str = URL

    def request(self, method: str, path: str, body: str | None = None, /) -> Response:
        assert (method, path) == ("POST", "/batch")
        batch = json.loads(body or "")["operations"]
        self.batches.append(batch)
        return self.answer(batch)

    def close(self) -> None:
        self.ended.append("close")

    def abandon(self) -> None:
        self.ended.append("abandon")

    @property
    def paths(self) -> list[list[str]]:
        return [[each["path"] for each in batch] for batch in self.batches]


class FakeLock(DeliveryLock):
    """A lock that another process may hold."""

    def __init__(self) -> None:
        super().__init__(None, "0000000")
        self.is_held_elsewhere = False
        self.is_held = False
        self.is_closed = False

    def acquire(self) -> bool:
        self.is_held = not self.is_held_elsewhere
        return self.is_held

    def release(self) -> None:
        self.is_held = False

    def close(self) -> None:
        self.is_closed = True


@dataclass
class Bench:
    """A worker with a fake transport, lock and clock and a queue in memory."""

    transport: FakeTransport
    queue: DiskQueue
    lock: FakeLock
    clock: Clock
    runs: list[str]
    backoff: Backoff
    worker: DeliveryWorker

    def add(self, *names: str, coalescable: bool = False, method: str = "POST", body: str = "{}") -> None:
        self.queue.append([Operation(method, f"/x/{name}", body, new_idempotency_key(), coalescable) for name in names])

    def queued(self) -> list[str]:
        return [entry.operation.path.rpartition("/")[2] for entry in self.queue.peek(10_000, 10**9)]

    def delay(self) -> float:
        """Seconds until the next round."""
        return round(self.backoff.retry_at - self.clock(), 6)


@pytest.fixture
def bench() -> Iterator[Bench]:
    clock, lock, transport, queue, runs = Clock(), FakeLock(), FakeTransport(), DiskQueue(None, "d"), list[str]()
    backoff = Backoff(uniform=lambda _, high: high, clock=clock)
    worker = DeliveryWorker(
        transport, queue, lock, lambda: list(runs), heartbeat_seconds=15.0, backoff=backoff, clock=clock
    )
    yield Bench(transport, queue, lock, clock, runs, backoff, worker)
    worker.close(deadline(1))


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
    assert bench.transport.batches == [
        [{"method": "PUT", "path": '/x/"a"', "body": {"n": 1}, "idempotency_key": "key1"}]
    ]


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


def test_without_an_answer_operations_stay_and_the_wait_doubles_until_one_comes(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Batch) -> Response:
        raise UnreachableError("cannot reach it.")

    bench.transport.answer = fail
    bench.add("a")
    delays = []
    for _ in range(3):
        bench.worker.deliver()
        delays.append(bench.delay())
    assert delays == [0.5, 1.0, 2.0]
    assert bench.queued() == ["a"]
    assert bench.worker.last_error is not None
    assert bench.worker.last_error.reason == "cannot reach it"
    assert caplog.messages == ["Livewatch delivery failed; updates stay queued. cannot reach it."], "said once"
    assert not bench.lock.is_held
    bench.transport.answer = accept
    bench.worker.deliver()
    assert bench.queued() == []
    assert bench.backoff.failures == 0
    assert bench.delay() <= 0


@pytest.mark.parametrize(
    ("response", "delay", "is_requested", "reason"),
    [
        (Response(429, refusal("slower"), retry_after=7.0), 7.0, True, "slower"),
        (Response(503, None, retry_after=2.0), 2.0, True, "the server answered with status 503"),
        (Response(429, None), 0.5, False, "the server answered with status 429"),
        (Response(500, refusal("broken.")), 0.5, False, "broken"),
    ],
)
def test_a_server_that_is_busy_or_broken_gets_the_wait_that_it_asks_for(
    bench: Bench, response: Response, delay: float, is_requested: bool, reason: str
) -> None:
    bench.transport.answer = lambda _: response
    bench.add("a")
    bench.worker.deliver()
    error = bench.worker.last_error
    assert error is not None
    assert (bench.delay(), error.is_requested, error.reason) == (delay, is_requested, reason)
    assert not isinstance(error, MisconfiguredError)
    assert bench.queued() == ["a"]


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (Response(401, refusal("unknown")), f"{URL} rejected LIVEWATCH_KEY: unknown"),
        (Response(403, refusal("no scope")), f"{URL} rejected LIVEWATCH_KEY: no scope"),
        (Response(308, None, location="http://y"), f"{URL} redirects to http://y: set LIVEWATCH_URL to that"),
        (Response(404, refusal("what")), f"{URL} is not a Livewatch API, or an older version: what"),
        (
            Response(200, None),
            f"{URL} is not a Livewatch API, or an older version: the server answered with status 200",
        ),
        (Response(499, refusal("odd")), f"{URL} is not a Livewatch API, or an older version: odd"),
        (Response(200, {"results": []}), f"{URL} is not a Livewatch API, or an older version"),
        (Response(200, {"results": {"0": 1}}), f"{URL} is not a Livewatch API, or an older version"),
        (Response(201, {"results": [{"status": 200}]}), f"{URL} is not a Livewatch API, or an older version"),
    ],
)
def test_what_only_a_person_can_fix_is_tried_once_a_minute(bench: Bench, response: Response, reason: str) -> None:
    bench.transport.answer = lambda _: response
    bench.add("a")
    bench.worker.deliver()
    error = bench.worker.last_error
    assert isinstance(error, MisconfiguredError)
    assert error.reason.startswith(reason)
    assert (bench.delay(), error.is_requested) == (60.0, False)
    assert bench.queued() == ["a"]


def test_a_fault_of_our_own_is_survived_and_tried_again_after_half_a_minute(bench: Bench) -> None:
    def fail(_: Batch) -> Response:
        raise ZeroDivisionError

    bench.transport.answer = fail
    bench.add("a")
    bench.worker.deliver()
    assert (bench.delay(), bench.queued()) == (30.0, ["a"])


def test_an_operation_that_fails_alone_is_given_up_at_the_third_attempt(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.transport.answer = answering(bad=500)
    bench.add("good", "bad", "fine")
    for attempts in (1, 2):
        bench.worker.deliver()
        assert [entry.attempts for entry in bench.queue.peek(10, 10**6)] == [attempts]
        assert bench.worker.last_error is not None
        assert not bench.worker.last_error.is_requested
    assert bench.queue.rejections() == []
    bench.worker.deliver()
    assert (bench.queued(), bench.worker.last_error) == ([], None)
    assert [(each.path, each.reason) for each in bench.queue.rejections()] == [("/x/bad", "no")]
    assert "Livewatch rejected /x/bad: no" in caplog.messages


@pytest.mark.parametrize("status", [429, 503])
def test_an_operation_that_the_server_postpones_is_sent_again_however_often(bench: Bench, status: int) -> None:
    bench.transport.answer = answering(later=status)
    bench.add("a", "later")
    for _ in range(5):
        bench.worker.deliver()
        assert bench.queued() == ["later"]
        assert bench.delay() == 1.0
        assert bench.worker.last_error is not None
        assert bench.worker.last_error.is_requested


@pytest.mark.parametrize("status", [300, 400, 404, 409, 422, 499])
def test_an_operation_that_is_rejected_is_dropped_at_once_and_delays_no_other(bench: Bench, status: int) -> None:
    bench.transport.answer = answering(bad=status)
    bench.add("a", "bad", "b")
    bench.worker.deliver()
    assert (bench.queued(), bench.worker.last_error) == ([], None)
    assert [each.path for each in bench.queue.rejections()] == ["/x/bad"]


def test_every_status_below_300_is_a_success(bench: Bench) -> None:
    bench.transport.answer = answering(a=201, b=299)
    bench.add("a", "b")
    bench.worker.deliver()
    assert (bench.queued(), bench.queue.rejections()) == ([], [])


def in_turn(*statuses: int) -> Callable[[Batch], Response]:
    return lambda batch: Response(200, {"results": [{"status": each} for each in statuses[: len(batch)]]})


@pytest.mark.parametrize("status", [503, 500, 422])
def test_a_failed_value_that_a_newer_one_has_replaced_is_not_sent_again(bench: Bench, status: int) -> None:
    bench.transport.answer = in_turn(status, 200)
    bench.add("run", "run", coalescable=True)
    bench.worker.deliver()
    assert (bench.queued(), bench.worker.last_error, bench.queue.rejections()) == ([], None, [])


def test_a_failed_value_is_kept_if_it_is_the_newest_or_of_another_run_or_not_replaceable(bench: Bench) -> None:
    bench.transport.answer = in_turn(200, 503)
    bench.add("run", "run", coalescable=True)
    bench.worker.deliver()
    assert bench.queued() == ["run"]
    bench.transport.answer = in_turn(503, 503, 200)
    bench.add("start", coalescable=False)
    bench.add("other", coalescable=True)
    bench.worker.deliver()
    assert bench.queued() == ["run", "start"]
    bench.transport.answer = in_turn(503, 503, 200)
    bench.add("run", coalescable=False)
    bench.worker.deliver()
    assert bench.queued() == ["run", "start"], "an event does not replace a value"


@pytest.mark.parametrize("result", [None, {"status": "200"}, {}])
def test_a_result_that_makes_no_sense_is_a_failure_of_that_operation(bench: Bench, result: object) -> None:
    bench.transport.answer = lambda batch: Response(200, {"results": [result] * len(batch)})
    bench.add("a")
    bench.worker.deliver()
    assert [entry.attempts for entry in bench.queue.peek(10, 10**6)] == [1]


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_batch_that_is_rejected_is_halved_until_the_operation_to_blame_is_found(bench: Bench, status: int) -> None:
    def answer(batch: Batch) -> Response:
        return Response(status, refusal("bad")) if any("bad" in each["path"] for each in batch) else accept(batch)

    bench.transport.answer = answer
    bench.add(*"abcd", "bad", *"efg")
    bench.worker.deliver()
    assert (bench.queued(), bench.worker.last_error) == ([], None)
    assert [(each.path, each.reason) for each in bench.queue.rejections()] == [("/x/bad", "bad")]
    assert [len(batch) for batch in bench.transport.batches] == [8, 4, 4, 2, 1, 1, 2]


def test_an_outage_while_a_batch_is_halved_keeps_what_was_not_sent(bench: Bench) -> None:
    def answer(batch: Batch) -> Response:
        if len(batch) > 2:
            return Response(413, None)
        if len(bench.transport.batches) > 2:
            return Response(503, None)
        return accept(batch)

    bench.transport.answer = answer
    bench.add(*"abcd")
    bench.worker.deliver()
    assert bench.queued() == ["c", "d"]


def test_a_rejected_batch_of_heartbeats_alone_is_no_operations_fault(bench: Bench) -> None:
    bench.transport.answer = lambda _: Response(422, refusal("no"))
    bench.runs += ["streams/a"]
    bench.worker.deliver()
    assert isinstance(bench.worker.last_error, MisconfiguredError)


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
    assert queue._connection is None
    count = len(transport.batches)
    queue.append([Operation("POST", "/x/a", "{}", "k")])
    worker.wake()
    assert not worker.flush(0.2)
    assert len(transport.batches) == count
    assert not any(thread.name == "livewatch delivery" for thread in threading.enumerate())


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


def test_the_lock_keeps_out_other_processes_only_and_only_of_its_destination(tmp_path: Path) -> None:
    lock = DeliveryLock(tmp_path / "q.lock", "0000001aaaaaaaaa")
    assert lock.acquire()
    assert lock.acquire(), "it is ours already"
    lock.release()
    lock.close()
    lock.close()
    assert DeliveryLock(tmp_path / "missing" / "q.lock", "0000001").acquire(), "where there is no file, nobody is out"


@pytest.fixture(autouse=True)
def warnings(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
