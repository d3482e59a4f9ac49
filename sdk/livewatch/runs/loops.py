"""Loops: each loop and progress bar of the program, as a run of its own or as a bar of the run around it."""

from __future__ import annotations

import os
import sys
from contextvars import ContextVar

from livewatch.delivery.operations import title_of
from livewatch.reporting.process import PROCESS
from livewatch.runs.activities import NUMBERS, current_activity
from livewatch.runs.attached import attached_run
from livewatch.runs.bars import Bar, ProgressSource
from livewatch.runs.endings import COMPLETED, STOPPED, Ending, ending_of
from livewatch.runs.run import Run


class Loop:
    """A loop or progress bar, from its start to its end.

    The first loop of a thread or task is a run. While it or another run is open there, later loops are bars of that
    run: below the loop that they are nested in, or directly below the run. A loop with a slug is always a run.

    Args:
        name: Title.
        total: Units to do.
        slug: Name of its job in URLs.
        description: What it does.
        unit: Name of its units.
        progress_source: Returns units done and their total.
        is_moved_by_hand: Whether it is a bar without a loop of its own: later bars stand beside it, not within.
    """

    def __init__(
        self,
        name: object,
        *,
        total: float | None,
        progress_source: ProgressSource,
        slug: str | None = None,
        description: str | None = None,
        unit: str | None = None,
        is_moved_by_hand: bool = False,
    ) -> None:
        self.outer = current_loop()
        self.is_moved_by_hand = is_moved_by_hand
        self.bar: Bar | None = None
        """None where the loop is the progress of its run itself."""
        run = None if slug is not None else owner()
        title = title_of("" if name is None else name, script_name() if run is None else "Loop")
        if run is None:
            self.run = Run(
                title, total=total, slug=slug, description=description, unit=unit, progress_source=progress_source
            )
        else:
            self.run = run
            self.bar = run.add_bar(self._parent(run), title, unit, progress_source)
        self.number = next(NUMBERS)
        _current.set(self)

    @property
    def is_left(self) -> bool:
        """Whether it has ended or was left, so that later loops are not nested in it."""
        return self.run.is_left if self.bar is None else self.bar.is_left or self.run.ended

    def describe(self, description: str) -> None:
        """Replace the description; that of a bar is its name."""
        if self.bar is None:
            self.run.describe(description)
        elif description:
            self.bar.describe(description)

    def end(self, ending: Ending) -> None:
        """End; a run ends when its bars have ended, too. Idempotent."""
        if self.bar is None:
            self.run.end_after_bars(ending)
        else:
            with self.run._lock:
                self.bar.end(ending)

    def finish(self) -> None:
        """End successfully, whatever is left."""
        self.end(COMPLETED)

    def stop(self) -> None:
        """End as left early on purpose."""
        self.end(STOPPED)

    def end_with(self, error: BaseException | None) -> None:
        """End as an exception says."""
        self.end(ending_of(error, PROCESS.signal_name))

    def abandoned_early(self) -> None:
        """Note that it was left before the end; see `Run.abandoned_early`."""
        if self.bar is None:
            self.run.abandoned_early()
        else:
            with self.run._lock:
                self.bar.abandoned_early()

    def _parent(self, owner: Run) -> Bar | None:
        """Return the bar of the loop around it in the same run, past bars that are moved by hand."""
        around = self.outer
        while around is not None and around.is_moved_by_hand and around.bar is not None:
            around = around.outer
        return around.bar if around is not None and around.run is owner else None


def owner() -> Run | None:
    """Return the run to which a loop belongs that begins here; None if it is one of its own."""
    activity = current_activity()
    while activity is not None and not (isinstance(activity, Run) and not activity.is_left):
        activity = activity.parent
    outer = current_loop()
    if outer is not None and (activity is None or outer.number > activity.number):
        return outer.run
    return activity or attached_run()


def current_loop() -> Loop | None:
    """Return the innermost open loop of this thread or task."""
    loop = _current.get()
    while loop is not None and loop.is_left:
        loop = loop.outer
    return loop


def script_name() -> str:
    """Return the file name of the running script."""
    return os.path.basename(sys.argv[0] if sys.argv else "") or "python"


_current: ContextVar[Loop | None] = ContextVar("livewatch_loop", default=None)
