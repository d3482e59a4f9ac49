"""What the server's answers do to the queue: acknowledgements, retries, rejections and warnings."""

import logging
from collections.abc import Callable

import pytest
from livewatch.delivery.client import Response, UnreachableError
from livewatch.delivery.errors import MisconfiguredError

from tests.sdk.delivery_bench import URL, Batch, Bench, accept, answering, refusal


@pytest.fixture(autouse=True)
def warnings(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)


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
