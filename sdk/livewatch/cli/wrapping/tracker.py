"""The progress of a command: the bars that it draws, and the one that stands for the whole."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from livewatch.cli.wrapping.formats import Progress, duration_in, position_in, progress_in

# A bar that did not move for this long yields to another.
MAX_BAR_SILENCE_SECONDS = 60.0
MAX_BARS = 200
LAYER_STATE = re.compile(r"^(?P<layer>[0-9a-f]{12}): (?P<state>Pull complete|Already exists|[A-Z][a-z ]+)")
LAYERS_DONE = ("Pull complete", "Already exists")


# Any identifier of the output stream, and the row, counted from the command's start.
Place = tuple[int, int]


@dataclass(eq=False)
class TrackedBar:
    """One bar of the command.

    Attributes:
        progress: What was last drawn of it.
        moved_at: When it last moved, by the tracker's clock.
        place: Output stream and row on which it was last drawn.
        is_over: Whether the command drew past it and left it.
    """

    progress: Progress
    moved_at: float
    place: Place | None = None
    is_over: bool = False

    def is_same(self, other: Progress) -> bool:
        """Return whether a line is of this bar: the same label, and the same total in the same unit."""
        mine = self.progress
        return (mine.label, mine.total, mine.unit) == (other.label, other.total, other.unit)

    def is_similar(self, other: Progress) -> bool:
        """Return whether it is this bar in other words: per cent in place of counts, as of a line that was cut off."""
        mine = self.progress
        if mine.label != other.label or mine.is_percent == other.is_percent:
            return False
        return abs((mine.percent or 0) - (other.percent or 0)) <= 1


class ProgressTracker:
    """Follows all bars of a command. Thread-safe.

    The bar that stands for the whole is the first one, the outer of nested ones, until it is full, was left, or did not
    move for a minute while another did.

    Args:
        clock: Monotonic time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._bars: list[TrackedBar] = []
        self._followed: TrackedBar | None = None
        self._layers: dict[str, bool] = {}
        self._seconds: float | None = None

    @property
    def progress(self) -> Progress | None:
        """The progress of the bar that is followed; None if there was none."""
        followed = self._followed
        return None if followed is None else followed.progress

    def bars(self) -> list[TrackedBar]:
        """Return all bars in the order of their start."""
        with self._lock:
            return list(self._bars)

    def feed(self, line: str, place: Place | None = None, *, is_redrawn: bool = False) -> None:
        """Update the progress from a line or a redrawn part of one.

        Args:
            line: The text.
            place: Where it was drawn.
            is_redrawn: Whether it was drawn over the text before, so that the cursor rests on its row.
        """
        with self._lock:
            progress = self._understood(line)
            if progress is None:
                return
            now = self._clock()
            bar = self._update(progress, place, now)
            if is_redrawn and place is not None:
                for other in self._bars:
                    # What is above the cursor's resting place is not drawn again.
                    if other.place is not None and other.place[0] == place[0] and other.place[1] < place[1]:
                        other.is_over = True
                bar.is_over = False
            followed = self._followed
            if followed is None or followed.is_over or followed.progress.is_full or self._is_silent(followed, now):
                self._followed = self._next(bar)

    def _understood(self, line: str) -> Progress | None:
        if (seconds := duration_in(line)) is not None:
            self._seconds = max(seconds, self._seconds or 0)
            return None
        if self._seconds and (position := position_in(line)) is not None:
            return Progress(min(position, self._seconds), self._seconds, "s")
        if layer := LAYER_STATE.match(line):
            self._layers[layer["layer"]] = layer["state"] in LAYERS_DONE
            done = sum(self._layers.values())
            # The layers as a whole are the first bar; their sizes are the others.
            whole = Progress(done, len(self._layers), "layers")
            if not self._bars:
                self._bars.append(TrackedBar(whole, self._clock()))
                self._followed = self._bars[0]
            elif self._bars[0].progress.unit == "layers":
                self._bars[0].progress, self._bars[0].moved_at = whole, self._clock()
        return progress_in(line)

    def _update(self, progress: Progress, place: Place | None, now: float) -> TrackedBar:
        for bar in reversed(self._bars):
            is_restarted = bar.progress.is_full and progress.done < bar.progress.done
            if bar.is_same(progress) and not is_restarted:
                if bar.progress.done != progress.done:
                    bar.moved_at = now
                bar.progress, bar.place = progress, place
                self._bars = [each for each in self._bars if each is self._followed or not each.is_similar(progress)]
                return bar
        for bar in self._bars:
            if bar.is_similar(progress):
                if bar.progress.is_percent:
                    bar.progress, bar.place = progress, place
                return bar
        bar = TrackedBar(progress, now, place)
        self._bars.append(bar)
        if len(self._bars) > MAX_BARS:
            self._bars.remove(next((each for each in self._bars if each is not self._followed), bar))
        return bar

    def _is_silent(self, bar: TrackedBar, now: float) -> bool:
        return bar.progress.unit != "layers" and now - bar.moved_at > MAX_BAR_SILENCE_SECONDS

    def _next(self, newest: TrackedBar) -> TrackedBar:
        """Return the first bar that still moves, else the one that was just drawn."""
        now = self._clock()
        moving = (
            bar for bar in self._bars if not bar.is_over and not bar.progress.is_full and not self._is_silent(bar, now)
        )
        return next(moving, newest)
