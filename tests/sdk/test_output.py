"""Parsing of command output: unambiguous progress, and log lines."""

import re
from pathlib import Path

import pytest
from livewatch.cli.output import Output
from livewatch.cli.wrapping.formats import Progress, progress_in
from livewatch.cli.wrapping.tracker import Place, ProgressTracker


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
    progress = progress_in(line)
    if done is None:
        assert progress is None
    else:
        assert progress is not None
        expected = (done, 100, True) if total is None else (done, total, False)
        assert (progress.done, progress.total, progress.is_percent) == expected


@pytest.mark.parametrize(
    ("line", "label"),
    [
        ("Train:  45%|####      | 45/100 [00:01<?, ?it/s]", "Train"),
        ("Receiving objects:  45% (450/1000), 1.2 MiB | 2 MiB/s", "Receiving objects"),
        ("file.iso           45%[=====>    ]   5.72M  2.00MB/s", "file.iso"),
        (" 45%|####      | 45/100 [00:01<?, ?it/s]", ""),
    ],
)
def test_a_bar_is_called_as_its_line_calls_it(line: str, label: str) -> None:
    progress = progress_in(line)
    assert progress is not None
    assert progress.label == label


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
    assert followed(tracker) == (2, 10)
    tracker.feed("outer: 100%|##| 10/10 [")
    tracker.feed("last: 1%| | 1/300 [")
    now = 61.0
    tracker.feed("last: 5%| | 15/300 [")
    assert followed(tracker) == (15, 300), "the inner bar was left and moves no more"


def followed(tracker: ProgressTracker) -> tuple[float, float | None]:
    assert tracker.progress is not None
    return tracker.progress.done, tracker.progress.total


def drawn(*pieces: str) -> ProgressTracker:
    tracker = ProgressTracker()
    output = Output(tracker)
    for piece in pieces:
        output.feed(piece.encode())
    return tracker


def test_a_bar_that_was_left_is_not_followed_when_another_moves_below_it() -> None:
    """As tqdm draws a loop that was left at 228 of 715, and then a whole one."""
    first = [f"\rA: {n // 7}%|# | {n}/715 [" for n in range(0, 229, 57)]
    second = [f"\rB: {n // 4}%|# | {n}/364 [" for n in range(0, 365, 91)]
    tracker = drawn(*first, "\n", *second)
    assert followed(tracker) == (364, 364)
    assert [(each.progress.done, each.is_over) for each in tracker.bars()] == [(228, True), (364, False)]


def test_an_outer_bar_is_followed_while_inner_ones_are_drawn_below_it() -> None:
    """As tqdm draws them: a line down, the inner bar, a line up."""
    pieces = []
    for outer in range(1, 4):
        pieces += [f"\n\r{50 * n}%|# | {n}/2 [\x1b[A" for n in range(3)]
        pieces.append(f"\r{10 * outer}%|# | {outer}/10 [")
    tracker = drawn("\r0%|# | 0/10 [", *pieces)
    assert followed(tracker) == (3, 10)
    assert {each.progress.total for each in tracker.bars()} == {2, 10}
    assert not tracker.bars()[0].is_over


OUTPUTS = Path(__file__).parent / "outputs"


@pytest.mark.parametrize(
    ("name", "seen", "last"),
    [
        ("rsync", {(83, 100, "%"), (96, 100, "%")}, (100, 100, "%")),
        ("dd", {(15_165_554_688, None, "B")}, (20_971_520_000, None, "B")),
        ("wget", {(35, 100, "%")}, (100, 100, "%")),
        ("curl", {(69, 100, "%")}, (100, 100, "%")),
        ("curlbar", {(52.4, 100, "%")}, (100, 100, "%")),
        ("pv", {(34, 100, "%"), (69, 100, "%")}, (100, 100, "%")),
        ("apt", {(8, 100, "%"), (15, 100, "%")}, (92, 100, "%")),
        ("git", {(3409, 3588, None)}, (3588, 3588, None)),
        ("ffmpeg", {(1.4, 3, "s"), (2.4, 3, "s")}, (3, 3, "s")),
    ],
)
def test_the_progress_of_common_programs_is_understood(
    name: str, seen: set[tuple[float, float | None, str | None]], last: tuple[float, float | None, str | None]
) -> None:
    """Recorded on a terminal of 80 columns."""
    found: list[tuple[float, float | None, str | None]] = []

    class Tracker(ProgressTracker):
        def feed(self, line: str, place: Place | None = None, *, is_redrawn: bool = False) -> None:
            super().feed(line, place, is_redrawn=is_redrawn)
            if (progress := self.progress) is not None:
                found.append((progress.done, progress.total, progress.unit))

    output = Output(Tracker())
    for piece in re.split(rb"(?<=[\r\n])", (OUTPUTS / f"{name}.txt").read_bytes()):
        output.feed(piece)
    assert seen <= set(found), found
    assert found[-1] == last


def test_the_rows_of_one_output_stream_say_nothing_of_the_other() -> None:
    tracker = ProgressTracker()
    first, second = Output(tracker), Output(tracker)
    first.feed(b"\rA: 10%|# | 1/10 [")
    second.feed(b"\n\n\n\rB: 10%|# | 2/20 [\rB: 15%|# | 3/20 [")
    assert [each.is_over for each in tracker.bars()] == [False, False]
    assert followed(tracker) == (1, 10)


def test_layers_of_an_image_are_bars_below_their_count() -> None:
    a, b = "0123456789ab", "ba9876543210"
    tracker = drawn(
        f"{a}: Pulling fs layer\r\n{b}: Pulling fs layer\r\n",
        f"\x1b[2A\x1b[2K\r{a}: Downloading [=====>     ]  12.5MB/25MB\r\x1b[2B",
        f"\x1b[1A\x1b[2K\r{b}: Downloading [=>    ]  1.5kB/3kB\r\x1b[1B",
        f"\x1b[2A\x1b[2K\r{a}: Pull complete\r\x1b[2B",
    )
    assert followed(tracker) == (1, 2)
    assert [(each.progress.label, each.progress.done, each.progress.total) for each in tracker.bars()] == [
        ("", 1, 2),
        (a, 12_500_000, 25_000_000),
        (b, 1_500, 3_000),
    ]


def test_a_bar_of_npm_is_understood() -> None:
    assert progress_in("⸨#########⠂⠂⠂⠂⠂⠂⠂⠂⠂⸩ ⠧ reify:left-pad: timing reify") == Progress(50, 100, "%")


def test_output_in_any_pieces_gives_the_same_lines_and_the_newest_progress() -> None:
    said = (
        "starting\r\n\x1b[32mgrün\x1b[0m\x1b[K\n\x1b[1m\x1b[0m\n  1%|  | 1/100 [\r 50%|# | 50/100 [\r\n\nlast".encode()
    )
    for size in (1, 3, 7, len(said)):
        tracker = ProgressTracker()
        output = Output(tracker)
        for start in range(0, len(said), size):
            output.feed(said[start : start + size])
        assert followed(tracker) == (50, 100)
        output.end()
        assert output.take() == (["starting", "\x1b[32mgrün\x1b[0m", " 50%|# | 50/100 [", "last"], 0)
        assert list(output.last_lines) == ["starting", "grün", " 50%|# | 50/100 [", "last"]
        assert output.take() == ([], 0)


def test_progress_is_seen_before_its_line_is_ended() -> None:
    tracker = ProgressTracker()
    Output(tracker).feed(b"\r 50%|#####     | 50/100 [00:01<00:01]")
    assert followed(tracker) == (50, 100)


def test_of_a_flood_the_newest_lines_are_kept_and_the_rest_counted() -> None:
    output = Output(ProgressTracker())
    for start in range(0, 100_000, 10_000):
        output.feed(b"".join(b"line %d\n" % n for n in range(start, start + 10_000)))
    lines, left_out = output.take()
    assert lines == [f"line {n}" for n in range(99_900, 100_000)]
    assert left_out == 99_900
    assert list(output.last_lines)[-1] == "line 99999"
