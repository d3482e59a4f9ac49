"""Nested and neighbouring loops and bars: every one is reported, as a run or as a bar of the run around it."""

import io
from typing import Any

import livewatch
import pytest
from livewatch.tqdm import tqdm

from tests.sdk.api_server import ApiServer
from tests.sdk.test_tracking import wait_for_end
from tests.speed import wait_until


def bar_of(iterable: Any = None, desc: str | None = None, **kwargs: Any) -> "tqdm[Any]":
    return tqdm(iterable, desc, file=io.StringIO(), **kwargs)


def runs(server: ApiServer) -> list[dict[str, Any]]:
    """Return the states of all streams in the order of their start."""
    livewatch.flush()
    paths = [each.path for each in server.writes if each.path.startswith("/streams/") and each.method == "PUT"]
    return [server.state(path) for path in dict.fromkeys(paths)]


def bars(run: dict[str, Any]) -> list[tuple[str, str | None, float, str]]:
    """Return name, name of the parent, units done and status of a run's bars."""
    names = {each["id"]: each["name"] for each in run["bars"]}
    return [(each["name"], names.get(each.get("parent")), each["completed"], each["status"]) for each in run["bars"]]


def test_a_loop_after_one_that_was_left_is_a_run_of_its_own(reporting: ApiServer) -> None:
    for x in livewatch.track(range(10), "A"):
        if x == 3:
            break
    for _ in livewatch.track(range(5), "B"):
        pass
    for x in bar_of(range(10), "C"):
        if x == 3:
            break
    for _ in bar_of(range(5), "D"):
        pass
    wait_until(lambda: all("end" in each for each in runs(reporting)))
    assert [(each["name"], each["completed"], each["total"], each["end"]) for each in runs(reporting)] == [
        ("A", 3, 10, {"status": "stopped"}),
        ("B", 5, 5, {"status": "completed"}),
        ("C", 3, 10, {"status": "stopped"}),
        ("D", 5, 5, {"status": "completed"}),
    ]


def test_loops_within_loops_are_bars_of_the_outermost(reporting: ApiServer) -> None:
    for n in livewatch.track(range(2), "outer"):
        for _ in livewatch.track(range(3), f"inner {n}"):
            for _ in bar_of(range(4), "deep"):
                break
        for _ in bar_of(range(3), "bar"):
            pass
    for _ in livewatch.track(range(3), "next"):
        pass
    outer, following = runs(reporting)
    assert (outer["name"], outer["completed"], following["name"]) == ("outer", 2, "next")
    assert outer["end"] == following["end"] == {"status": "completed"}
    found = bars(outer)
    assert outer["bar_count"] == len(found) == 2 * (1 + 3 + 1)
    assert [each for each in found if each[0] != "deep"] == [
        ("inner 0", None, 3, "completed"),
        ("bar", None, 3, "completed"),
        ("inner 1", None, 3, "completed"),
        ("bar", None, 3, "completed"),
    ]
    assert {each[1:] for each in found if each[0] == "deep"} == {("inner 0", 0, "stopped"), ("inner 1", 0, "stopped")}


def test_a_bar_that_is_never_closed_hides_no_other(reporting: ApiServer) -> None:
    open_bar = bar_of(total=10, desc="open")
    open_bar.update(4)
    second = bar_of(total=8, desc="sibling")
    second.update(3)
    for _ in livewatch.track(range(3), "later"):
        pass
    (run,) = runs(reporting)
    assert (run["name"], run["completed"], run["total"]) == ("open", 4, 10)
    assert bars(run) == [("sibling", None, 3, "in_progress"), ("later", None, 3, "completed")]
    open_bar.update(6)
    open_bar.close()
    assert "end" not in runs(reporting)[0], "its sibling goes on"
    second.update(5)
    second.close()
    (run,) = runs(reporting)
    assert (run["end"], bars(run)[0][2:]) == ({"status": "completed"}, (8, "completed"))


def test_loops_in_a_run_are_bars_whose_progress_it_shows(reporting: ApiServer) -> None:
    with livewatch.run("Nightly", slug="n"):
        for _ in livewatch.track(range(4), "read", unit="rows"):
            pass
        for n in bar_of(range(10), "write", unit="B", unit_scale=True):
            if n == 5:
                livewatch.flush()
                assert reporting.state("/streams/n")["completed"] == 0, "tqdm counts in steps"
    (run,) = runs(reporting)
    assert (run["name"], run["completed"], run["total"]) == ("Nightly", 10, 10)
    assert [(each["name"], each.get("unit"), each["total"]) for each in run["bars"]] == [
        ("read", "rows", 4),
        ("write", "B", 10),
    ]
    assert run["end"] == {"status": "completed"}


def test_a_run_shows_no_total_or_unit_of_an_earlier_loop(reporting: ApiServer) -> None:
    with livewatch.run("Nightly", slug="n"):
        for _ in livewatch.track(range(4), "read", unit="rows"):
            pass
        livewatch.flush()
        for _ in livewatch.track(iter(range(7)), "write"):
            pass
    (run,) = runs(reporting)
    assert (run["completed"], run["total"], run["unit"]) == (7, 0, "")


def test_an_exception_fails_all_loops_that_it_leaves(reporting: ApiServer) -> None:
    def work() -> None:
        with livewatch.track(range(3), slug="outer") as outer:
            for _ in outer:
                with livewatch.track(range(3), "inner") as inner:
                    for n in inner:
                        assert 1 / (1 - n)

    with pytest.raises(ZeroDivisionError):
        work()
    assert wait_for_end(reporting, "/streams/outer")["status"] == "blocked"
    assert bars(reporting.state("/streams/outer")) == [("inner", None, 1, "blocked")]


def test_of_many_bars_the_open_and_the_newest_are_reported(reporting: ApiServer) -> None:
    with livewatch.run("Many", slug="m"):
        waiting = bar_of(total=3, desc="waiting")
        for n in range(120):
            for _ in livewatch.track(range(2), f"loop {n}"):
                pass
            if n % 20 == 0:
                livewatch.flush()
        livewatch.flush()
        run = reporting.state("/streams/m")
        assert len(run["bars"]) == 50
        assert {"waiting", "loop 119"} <= {each["name"] for each in run["bars"]}
        assert run["bar_count"] == 121
        waiting.close()


@pytest.mark.parametrize(
    ("options", "steps", "told"),
    [
        ({"total": 0.9}, [0.3, 0.3], (0.6, 0.9, None)),
        ({"total": 1.0}, [0.1] * 10, (1, 1, None)),
        ({"total": 10**6, "unit": "B", "unit_scale": True, "unit_divisor": 1024}, [4096], (4096, 10**6, "B")),
        ({"total": 200, "unit": "files"}, [50], (50, 200, "files")),
        ({"total": 1000, "unit": "s", "unit_scale": 0.001}, [500], (0.5, 1, "s")),
        ({"total": None, "unit": "bytes"}, [2**53], (2**53, None, "B")),
    ],
)
def test_amounts_and_units_are_those_of_the_bar(
    reporting: ApiServer, options: dict[str, Any], steps: list[float], told: tuple[Any, ...]
) -> None:
    with tqdm(file=io.StringIO(), slug="bar", **options) as bar:
        for step in steps:
            bar.update(step)
    livewatch.flush()
    stream = reporting.state("/streams/bar")
    assert (stream["completed"], stream.get("total"), stream.get("unit")) == told


def test_fractions_are_added_without_noise(reporting: ApiServer) -> None:
    with livewatch.run("Sum", total=1, slug="sum", unit="kg") as run:
        for _ in range(10):
            run.advance(0.1)
    livewatch.flush()
    assert reporting.state("/streams/sum")["completed"] == 1
    assert reporting.state("/streams/sum")["unit"] == "kg"


def test_bars_that_are_moved_by_hand_stand_beside_each_other_and_below_their_loop(reporting: ApiServer) -> None:
    with livewatch.run("Files", slug="files"):
        for _ in livewatch.track(range(1), "loop"):
            opened = [bar_of(total=4, desc=name) for name in ("a", "b", "c")]
            for n, bar in enumerate(opened):
                bar.update(n)
            livewatch.flush()
            assert bars(reporting.state("/streams/files")) == [
                ("loop", None, 0, "in_progress"),
                *((name, "loop", n, "in_progress") for n, name in enumerate("abc")),
            ]
            for bar in opened:
                bar.close()
