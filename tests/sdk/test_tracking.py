"""Tracked loops: `track()` and the drop-in for tqdm."""

import io
import threading
import time
from collections.abc import Callable, Iterable, Iterator

import livewatch
import pytest
from livewatch.tqdm import tqdm, trange

from tests.sdk.api_server import ApiServer
from tests.speed import wait_until


def wait_for_end(server: ApiServer, path: str) -> dict[str, object]:
    """Wait for the end of a stream and return it."""

    def has_ended() -> object:
        livewatch.flush()
        return server.state(path).get("end")

    wait_until(has_ended, what=f"the end of {path}")
    end = server.state(path)["end"]
    assert isinstance(end, dict)
    return end


@pytest.mark.parametrize(
    ("items", "total", "told"),
    [([1, 2, 3], None, 3), (iter("abcd"), None, None), ((n for n in range(5)), 10, 10), ({}, None, 0)],
)
def test_a_loop_over_anything_is_a_stream(
    reporting: ApiServer, items: Iterable[object], total: int | None, told: int | None
) -> None:
    seen = list(livewatch.track(items, "Import", total=total))
    livewatch.flush()
    stream = reporting.only("streams")
    assert (stream["name"], stream["completed"], stream.get("total")) == ("Import", len(seen), told)
    assert stream["end"] == {"status": "completed"}


def test_a_loop_gets_the_items_themselves(reporting: ApiServer) -> None:
    items = [object(), object()]
    assert list(livewatch.track(items)) == items


def test_the_item_that_is_being_worked_on_is_not_done_yet(reporting: ApiServer) -> None:
    for n in livewatch.track(range(10), slug="t"):
        if n in (0, 4):
            livewatch.flush()
            assert reporting.state("/streams/t")["completed"] == n


def test_a_list_that_grows_and_shrinks_in_its_loop_is_counted_as_it_is(reporting: ApiServer) -> None:
    items = list(range(4))
    for n in livewatch.track(items, slug="t"):
        if n == 1:
            items += range(4, 10)
        elif n == 8:
            items.pop()
            livewatch.flush()
            assert reporting.state("/streams/t")["completed"] == 8
    assert wait_for_end(reporting, "/streams/t") == {"status": "completed"}
    assert reporting.state("/streams/t")["completed"] == 9


@pytest.mark.parametrize("kind", [list, tuple, iter, set])
def test_whatever_it_is_each_item_is_counted_when_it_is_done(
    reporting: ApiServer, kind: Callable[[range], Iterable[int]]
) -> None:
    for n, _ in enumerate(livewatch.track(kind(range(7)), slug="t")):
        if n in (0, 3, 6):
            livewatch.flush()
            assert reporting.state("/streams/t").get("completed") == n
    livewatch.flush()
    assert reporting.state("/streams/t")["completed"] == 7


def test_items_are_taken_only_when_the_loop_asks_for_them(reporting: ApiServer) -> None:
    taken: list[int] = []

    def source() -> Iterator[int]:
        for n in range(10):
            taken.append(n)
            yield n

    loop = iter(livewatch.track(source(), "lazy"))
    assert next(loop) == 0
    assert next(loop) == 1
    assert taken == [0, 1]


def test_a_loop_left_early_is_not_told_to_be_complete(reporting: ApiServer) -> None:
    for n in livewatch.track(range(1_000), slug="t"):
        if n == 37:
            break
    assert wait_for_end(reporting, "/streams/t") == {"status": "stopped"}
    assert (reporting.state("/streams/t")["completed"], reporting.state("/streams/t")["total"]) == (37, 1_000)


def test_a_loop_left_early_is_stopped_and_complete_when_that_is_said(reporting: ApiServer) -> None:
    with livewatch.track(range(10), slug="with") as items:
        for n in items:
            if n == 3:
                break
    loop = livewatch.track(range(10), slug="said")
    for _ in loop:
        loop.finish()
        break
    assert wait_for_end(reporting, "/streams/with") == {"status": "stopped"}
    assert reporting.state("/streams/with")["completed"] == 3
    assert wait_for_end(reporting, "/streams/said") == {"status": "completed"}


def test_as_a_context_manager_it_tells_the_exception(reporting: ApiServer) -> None:
    def work() -> None:
        with livewatch.track(range(10), slug="t") as items:
            for n in items:
                assert 1 / (3 - n)

    with pytest.raises(ZeroDivisionError):
        work()
    assert wait_for_end(reporting, "/streams/t") == {
        "status": "blocked",
        "error": "ZeroDivisionError: division by zero",
    }


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_exception_that_ends_a_thread_is_told_of_its_loop_and_of_no_other(reporting: ApiServer) -> None:
    def work() -> None:
        for n in livewatch.track(range(10), slug="crashing"):
            if n == 3:
                raise OSError("disk full")

    outer = livewatch.run("other", slug="other")
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert wait_for_end(reporting, "/streams/crashing") == {"status": "blocked", "error": "OSError: disk full"}
    assert "end" not in reporting.state("/streams/other")
    outer.finish()


def test_a_loop_may_be_iterated_again_and_is_reported_once(reporting: ApiServer) -> None:
    loop = livewatch.track([1, 2, 3], "twice")
    assert [*loop, *loop] == [1, 2, 3, 1, 2, 3]
    assert len(loop) == 3
    livewatch.flush()
    assert reporting.only("streams")["completed"] == 3


def test_what_cannot_be_iterated_is_complained_of_as_by_a_plain_loop(reporting: ApiServer) -> None:
    with pytest.raises(TypeError, match="'int' object is not iterable"):
        iter(livewatch.track(5))  # type: ignore[arg-type]


@pytest.mark.usefixtures("off")
def test_without_settings_a_loop_runs_over_its_own_iterator() -> None:
    assert type(iter(livewatch.track([1, 2]))) is type(iter([1, 2]))


def test_a_bar_is_drawn_as_ever_and_is_a_stream(reporting: ApiServer) -> None:
    drawn = io.StringIO()
    assert sum(tqdm(range(50), desc="Import", file=drawn)) == sum(range(50))
    livewatch.flush()
    stream = reporting.only("streams")
    assert (stream["name"], stream["completed"], stream["total"], stream["end"]) == (
        "Import",
        50,
        50,
        {"status": "completed"},
    )
    assert "Import: 100%" in drawn.getvalue()


def test_a_bar_moved_by_hand_tells_where_it_is_and_what_stands_beside_it(reporting: ApiServer) -> None:
    with tqdm(total=100, desc="Load", file=io.StringIO()) as bar:
        bar.update(40)
        bar.set_postfix(loss=0.5)
        livewatch.flush()
        stream = reporting.only("streams")
        assert (stream["completed"], stream["total"], stream["description"]) == (40, 100, "Load, loss=0.5")
    livewatch.flush()
    assert reporting.only("streams")["end"] == {"status": "completed"}


def test_a_bar_that_is_left_by_an_exception_tells_it(reporting: ApiServer) -> None:
    def work() -> None:
        with tqdm(total=100, file=io.StringIO(), slug="bar") as bar:
            bar.update(40)
            raise KeyError("x")

    with pytest.raises(KeyError):
        work()
    assert wait_for_end(reporting, "/streams/bar") == {"status": "blocked", "error": "KeyError: 'x'"}


def test_a_disabled_bar_is_not_reported_but_one_without_a_terminal_is(reporting: ApiServer) -> None:
    drawn = io.StringIO()
    for _ in tqdm(range(3), "disabled", disable=True):
        pass
    for _ in trange(3, desc="headless", disable=None, file=drawn):
        pass
    livewatch.flush()
    assert {each.body["name"] for each in reporting.writes if "name" in each.body} == {"headless"}
    assert drawn.getvalue() == ""


def test_a_fast_bar_that_becomes_slow_is_seen_to_move(reporting: ApiServer) -> None:
    """tqdm checks its count only every `miniters` steps, which it adapts to the fast phase."""
    seen: list[int] = []
    for n in tqdm(range(2_000_000), file=io.StringIO(), slug="bar"):
        if n < 200_000:
            continue
        time.sleep(0.3)
        livewatch.flush()
        seen.append(reporting.state("/streams/bar")["completed"])
        if seen[-1] > 200_001:
            break
        assert len(seen) < 10, seen
