"""Parsing of command output: unambiguous progress, and log lines."""

import pytest
from livewatch.cli.output import Output, Progress, ProgressTracker, progress_in


@pytest.mark.parametrize(
    ("line", "done", "total"),
    [
        (" 45%|████▌     | 450/1000 [00:01<00:01, 400.00it/s]", 450, 1000),
        ("Train:  45%|####      | 45/100 [00:01<?, ?it/s]", 45, 100),
        ("  7%|7         | 70.0k/1.00M [00:01<00:01]", 7, None),
        ("100%|██████████| 3/3 [00:00<00:00]", 3, 3),
        ("Receiving objects:  45% (450/1000), 1.2 MiB | 2 MiB/s", 450, 1000),
        ("[3/10] Building CXX object a.o", 3, 10),
        ("#7 [3/10] RUN make", None, None),
        ("3/10 [====>.......] - ETA: 3s", 3, 10),
        ("45%", 45, None),
        (" 45.5 % [#####     ]", 45.5, None),
        ("[ 45%] Building CXX object a.o", 45, None),
        ("tests/test_a.py .....                     [ 45%]", 45, None),
        ("######################             45.0%", 45, None),
        ("Working... ━━━━━━━╸━━━━━━━  45% 0:00:12", 45, None),
        ("Progress: [ 45%]", 45, None),
        ("45% complete", 45, None),
        # Ambiguous.
        ("accuracy 93%", None, None),
        ("93% of the rows are new", None, None),
        ("/dev/sda1  97% full, / 12% full", None, None),
        ("cpu 45%, memory 12%", None, None),
        ("450%", None, None),
        ("[11/10]", None, None),
        ("see [2024/11]", None, None),
        ("[0/0]", None, None),
        ("100.45% done", None, None),
    ],
)
def test_a_line_tells_progress_only_where_it_can_mean_nothing_else(
    line: str, done: float | None, total: int | None
) -> None:
    assert progress_in(line) == (None if done is None else Progress(done, total))


def test_of_nested_bars_the_outer_is_followed_and_of_several_one_after_another_each() -> None:
    now = 0.0
    tracker = ProgressTracker(clock=lambda: now)
    for line in (
        "outer: 10%|# | 1/10 [",
        "inner: 50%|# | 50/100 [",
        "outer: 20%|# | 2/10 [",
        "inner: 51%|# | 51/100 [",
    ):
        tracker.feed(line)
    assert tracker.progress == Progress(2, 10)
    tracker.feed("100%|##| 10/10 [")
    tracker.feed("1%| | 1/100 [")
    assert tracker.progress == Progress(1, 100)
    now = 61.0
    tracker.feed("5%| | 1/20 [")
    assert tracker.progress == Progress(1, 20), "the bar before was left and is drawn no more"


def test_output_in_any_pieces_gives_the_same_lines_and_the_newest_progress() -> None:
    said = "starting\r\n\x1b[32mgrün\x1b[0m\n  1%|  | 1/100 [\r 50%|# | 50/100 [\r\n\nlast".encode()
    for size in (1, 3, 7, len(said)):
        tracker = ProgressTracker()
        output = Output(tracker)
        for start in range(0, len(said), size):
            output.feed(said[start : start + size])
        assert tracker.progress == Progress(50, 100)
        output.end()
        assert output.take() == (["starting", "grün", " 50%|# | 50/100 [", "last"], 0)
        assert output.take() == ([], 0)


def test_progress_is_seen_before_its_line_is_ended() -> None:
    tracker = ProgressTracker()
    Output(tracker).feed(b"\r 50%|#####     | 50/100 [00:01<00:01]")
    assert tracker.progress == Progress(50, 100)


def test_of_a_flood_the_newest_lines_are_kept_and_the_rest_counted() -> None:
    output = Output(ProgressTracker())
    for start in range(0, 100_000, 10_000):
        output.feed(b"".join(b"line %d\n" % n for n in range(start, start + 10_000)))
    lines, left_out = output.take()
    assert lines == [f"line {n}" for n in range(99_900, 100_000)]
    assert left_out == 99_900
    assert list(output.last_lines)[-1] == "line 99999"
