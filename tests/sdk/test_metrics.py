"""Metrics as programs log them and as the server receives them."""

import logging
import math
import os
import threading
from collections.abc import Mapping
from typing import Any

import livewatch
import pytest

from tests.sdk.api_server import ApiServer


def points(server: ApiServer, run: str | None = None) -> dict[int, Mapping[str, Any]]:
    """Return the values by step that the server has, of one run or of the only one."""
    bodies = [write.body for write in server.of("/metrics") if run in (None, write.body["run"])]
    return {point["step"]: point["values"] for body in bodies for point in body["points"]}


def test_values_of_a_step_arrive_together_under_its_number(reporting: ApiServer) -> None:
    with livewatch.run("Training", slug="t") as run:
        run.log(loss=0.5, step=10)
        run.log({"val/loss": 1}, step=10)
        run.log({"val/loss": 2, "lr": 0.1}, lr=0.2)
    assert livewatch.flush()
    assert points(reporting, "streams/t") == {10: {"loss": 0.5, "val/loss": 1.0}, 11: {"val/loss": 2.0, "lr": 0.2}}
    assert [write.path for write in reporting.writes][-2:] == ["/metrics", "/streams/t/finish"]


def test_without_a_step_each_call_is_the_next_one_from_any_thread(reporting: ApiServer) -> None:
    with livewatch.run("Training", slug="t") as run:

        def work() -> None:
            for _ in range(50):
                run.log(x=1)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert livewatch.flush()
    assert sorted(points(reporting)) == list(range(200))


def test_nested_runs_have_metrics_of_their_own(reporting: ApiServer) -> None:
    with livewatch.run("Outer", slug="o") as outer, livewatch.run("Inner", slug="i") as inner:
        inner.log(x=1)
        outer.log(y=2)
    assert livewatch.flush()
    assert (points(reporting, "streams/o"), points(reporting, "streams/i")) == ({0: {"y": 2.0}}, {0: {"x": 1.0}})


def test_a_loop_that_logs_fast_sends_few_requests_and_the_latest_values(reporting: ApiServer) -> None:
    with livewatch.run("Training", slug="t") as run:
        for n in range(100_000):
            run.log(loss=n, step=n % 100)
    assert livewatch.flush()
    found = points(reporting)
    assert {step: values["loss"] for step, values in found.items()} == {n: 99_900 + n for n in range(100)}
    assert len(reporting.of("/metrics")) < 50


def test_of_too_many_values_the_latest_are_sent_and_the_log_says_so(
    reporting: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    with livewatch.run("Training", slug="t") as run:
        run.log({f"m{n}": n for n in range(60_000)}, step=0)
        run.log(last=1, step=1)
    livewatch.flush()
    assert points(reporting)[1] == {"last": 1.0}
    assert 0 not in points(reporting)
    assert "the oldest points are dropped" in caplog.text


def test_what_is_not_finite_is_spelled_and_numbers_of_libraries_are_taken(reporting: ApiServer) -> None:
    class Scalar:
        def __float__(self) -> float:
            return 2.5

    with livewatch.run("Training", slug="t") as run:
        run.log(a=math.nan, b=math.inf, c=-math.inf, d=Scalar(), e=True, f=10**400)
    assert livewatch.flush()
    assert points(reporting)[0] == {"a": "NaN", "b": "Infinity", "c": "-Infinity", "d": 2.5, "e": 1.0, "f": "Infinity"}


@pytest.mark.parametrize("bad", ["0.3", None, [1], object(), {"a": 1}, 1j])
def test_what_is_no_number_is_left_out_with_a_warning_and_never_raises(
    reporting: ApiServer, caplog: pytest.LogCaptureFixture, bad: object
) -> None:
    with caplog.at_level(logging.WARNING), livewatch.run("Training", slug="t") as run:
        run.log(loss=bad, good=1)
        run.log(loss=bad)
    assert livewatch.flush()
    assert points(reporting)[0] == {"good": 1.0}
    assert caplog.text.count("'loss'") == 1


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "\x00"])
def test_names_that_are_none_are_left_out(reporting: ApiServer, caplog: pytest.LogCaptureFixture, name: str) -> None:
    with livewatch.run("Training", slug="t") as run:
        run.log({name: 1, "x" * 300: 2, "دقة": 3})
    assert livewatch.flush()
    assert list(points(reporting)[0]) == ["x" * 199 + "…", "دقة"]
    assert "1 to 200 characters" in caplog.text


@pytest.mark.parametrize("step", [-1, 2**60, 1.5, "x", math.nan])
def test_a_step_that_is_none_becomes_the_next_one(
    reporting: ApiServer, caplog: pytest.LogCaptureFixture, step: object
) -> None:
    with livewatch.run("Training", slug="t") as run:
        run.log(x=1, step=4)
        run.log(x=2, step=step)
    assert livewatch.flush()
    assert points(reporting) == {4: {"x": 1.0}, 5: {"x": 2.0}}
    assert "whole numbers from 0" in caplog.text


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_leaves_the_metrics_to_its_parent(reporting: ApiServer) -> None:
    with livewatch.run("Training", slug="t") as run:
        run.log(x=1)
        child = os.fork()
        if child == 0:
            run.log(x=99)
            os._exit(0)
        os.waitpid(child, 0)
        run.log(x=2)
    assert livewatch.flush()
    assert points(reporting) == {0: {"x": 1.0}, 1: {"x": 2.0}}
