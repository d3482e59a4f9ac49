"""Runs: units of work with a start, progress and an end, shown as streams and, with steps, as scans."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from typing import TYPE_CHECKING, Any, TypeVar

from livewatch.delivery.operations import (
    MAX_ERROR_CHARACTERS,
    MAX_NAME_CHARACTERS,
    count_of,
    plain,
    summary_of,
    text,
    without_none,
)
from livewatch.reporting.activities import Activity, current_activity
from livewatch.reporting.process import PROCESS

if TYPE_CHECKING:
    from livewatch.reporting.reporter import Reporter

# How long a loop that was left early stays open, in case an exception is about to end the program.
BREAK_GRACE_SECONDS = 1.0
MAX_TYPE_CHARACTERS = 60

T = TypeVar("T")

logger = logging.getLogger("livewatch")


class Run(Activity):
    """A stream, started by its construction; its first step adds a scan with the same slug.

    Ends with its `with` block, or by `finish` or `fail`. Counting costs next to nothing: the reporter samples the
    count twice a second.

    Args:
        name: Title, up to 200 characters.
        total: Number of units to do.
        steps: Names of its steps, in order.
        slug: Name in URLs; usable once. Generated from `name` if omitted.
        description: What it does, up to 2,000 characters.
        metadata: JSON values to show with it.
        type: One or two words by which to find runs of the same kind.
        progress_source: Returns units done and their total; sampled in place of `advance` and `set`.
        reported: False for a run that reports nothing.
    """

    kind = "streams"

    def __init__(
        self,
        name: object,
        *,
        total: float | None = None,
        steps: Iterable[str] = (),
        slug: str | None = None,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        type: str | None = None,
        progress_source: Callable[[], tuple[float, float | None]] | None = None,
        reported: bool = True,
    ) -> None:
        super().__init__(name, slug, PROCESS.reporter() if reported else None)
        self._completed: float = 0
        self._total = total
        self._progress_source = progress_source
        self._steps: list[str] = []
        self._step: str | None = None
        self._description = text(description) if description is not None else None
        self._sent: dict[str, Any] = {}
        self._sent_to_scan: tuple[dict[str, Any], dict[str, Any]] | None = None
        self._has_declared_steps = False
        self._abandoned_at: float | None = None
        if self._reporter is None:
            return
        try:
            self._start(self._reporter, metadata, type, steps)
        except Exception:
            logger.debug("starting a run failed", exc_info=True)
            self.ended = True

    @property
    def stream(self) -> str | None:
        """Its own slug."""
        return self.slug

    def advance(self, n: float = 1) -> None:
        """Add `n` units to those done."""
        if self.ended:
            return
        try:
            with self._lock:
                self._completed += n
        except TypeError:
            logger.debug("advance() takes a number")

    def set(self, completed: float | None = None, *, total: float | None = None) -> None:
        """Set the units done, their total, or both."""
        if self.ended:
            return
        with self._lock:
            self._completed = self._completed if completed is None else completed
            self._total = self._total if total is None else total

    def track(self, items: Iterable[T]) -> Iterator[T]:
        """Iterate over `items`, advancing by one per item; sets the total to their number if it is unset."""
        if self._total is None and isinstance(items, Sized):
            self.set(total=len(items))
        for item in items:
            yield item
            self.advance()

    def progress(self, percent: float) -> None:
        """Set the progress in per cent, where there are no units to count."""
        self.set(percent, total=100)

    def step(self, name: object) -> None:
        """Enter a step; an undeclared one is appended to the steps."""
        if self.ended:
            return
        with self._lock:
            self._step = text(name, MAX_NAME_CHARACTERS)
            if self._step not in self._steps:
                self._steps.append(self._step)

    def describe(self, description: object) -> None:
        """Replace the description."""
        self._description = text(description)

    def annotate(self, metadata: Mapping[str, Any]) -> None:
        """Replace the metadata."""
        self._put({"metadata": plain(metadata)})

    def status(self, status: str) -> None:
        """Set the status: in_progress, on_track, at_risk or blocked."""
        self._put({"status": text(status)})

    def finish(self) -> None:
        """End successfully; later calls report nothing. Idempotent."""
        self._end(True, None)

    def fail(self, error: object = "failed") -> None:
        """End as blocked, with an exception or a sentence. Idempotent."""
        self._end(False, summary_of(error) if isinstance(error, BaseException) else text(error, MAX_ERROR_CHARACTERS))

    def abandoned_early(self) -> None:
        """Note that its loop was left before the end, by `break` or an exception.

        It stays open for a second: if an exception ends the program by then, it ends with that.
        """
        if self._abandoned_at is None and not self.ended:
            self._abandoned_at = time.monotonic()

    def sample(self) -> None:
        """Report progress, description and step if they changed."""
        reporter = self._open_reporter()
        if reporter is None:
            return
        with self._lock:
            done, total = self._counts()
            fields = {"completed": done, "total": total, "description": self._description}
            if fields != self._sent:
                self._sent = fields
                reporter.put(self.path, without_none(fields), coalescable=True)
            if self._steps:
                self._report_scan(reporter, done, total)
        abandoned_at = self._abandoned_at
        if abandoned_at is not None and time.monotonic() >= abandoned_at + BREAK_GRACE_SECONDS:
            self._end_abandoned()

    def on_exit(self) -> None:
        """End because the process exits, or because its loop was left early."""
        if self._abandoned_at is None:
            super().on_exit()
        else:
            self._end_abandoned()

    def _end_abandoned(self) -> None:
        done, total = self._counts()
        self._end(False, f"Stopped at {done:,} of {total:,}." if total is not None else f"Stopped after {done:,}.")

    def _start(
        self, reporter: Reporter, metadata: Mapping[str, Any] | None, type: str | None, steps: Iterable[str]
    ) -> None:
        self._steps = [text(step, MAX_NAME_CHARACTERS) for step in steps]
        self._has_declared_steps = bool(self._steps)
        fields = {
            "name": self.name,
            "status": "in_progress",
            "metadata": plain(metadata) if metadata else None,
            "stream_type": text(type, MAX_TYPE_CHARACTERS) if type else None,
        }
        reporter.put(self.path, without_none(fields))
        self.sample()
        reporter.add_source(self)

    def _put(self, fields: Mapping[str, Any]) -> None:
        reporter = self._open_reporter()
        if reporter is not None:
            reporter.put(self.path, fields)

    def _counts(self) -> tuple[int, int | None]:
        done, total = (self._completed, self._total) if self._progress_source is None else self._progress_source()
        return count_of(done) or 0, count_of(total)

    def _report_scan(self, reporter: Reporter, done: int, total: int | None) -> None:
        progress: dict[str, Any] = {}
        if total:
            progress = {"targets_identified": total, "targets_analyzed": min(done, total)}
            progress["progress"] = round(min(100.0, 100 * done / total), 1)
        elif self._has_declared_steps and self._step is not None:
            progress["progress"] = round(100 * self._steps.index(self._step) / len(self._steps), 1)
        position = without_none({"steps": list(self._steps), "step": self._step})
        if (progress, position) == self._sent_to_scan:
            return
        is_first = self._sent_to_scan is None
        start = {"name": self.name, "stream": self.slug, "status": "scanning"} if is_first else {}
        reporter.put(f"/scans/{self.slug}", {**progress, **position, **start}, coalescable=not is_first)
        self._sent_to_scan = progress, position

    def _end(self, is_success: bool, error: str | None) -> None:
        # Before the last sample, which otherwise may end the run itself.
        self._abandoned_at = None
        reporter = self._close()
        if reporter is None:
            return
        if self._sent_to_scan is not None:
            status = "completed" if is_success else "failed"
            reporter.post(f"/scans/{self.slug}/finish", without_none({"status": status, "error": error}))
        status = "completed" if is_success else "blocked"
        reporter.post(f"{self.path}/finish", without_none({"status": status, "error": error}))


def current_run() -> Run:
    """Return the current run; outside of any run, one that reports nothing, so that callers need not check."""
    activity = current_activity()
    while activity is not None and not isinstance(activity, Run):
        activity = activity.parent
    return activity or Run("nothing", reported=False)
