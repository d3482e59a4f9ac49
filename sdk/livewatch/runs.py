"""Runs: the work that a program reports, from its start to its end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from typing import TYPE_CHECKING, Any, TypeVar

from livewatch.activities import Activity, innermost
from livewatch.operations import ERROR_LENGTH, NAME_LENGTH, count_of, plain, summary_of, text
from livewatch.process import PROCESS

if TYPE_CHECKING:
    from livewatch.reporter import Reporter

# After a loop was left early, for the exception that ends the program to be heard of.
GRACE = 1.0
TYPE_LENGTH = 60

T = TypeVar("T")

logger = logging.getLogger("livewatch")


class Run(Activity):
    """A stream in Livewatch, begun when this is made; its first step adds a scan of the same slug to it.

    Use it as a context manager, which ends it as the block ends; or call `finish` or `fail`. What is counted is read
    twice a second, so to count costs next to nothing; `look` is asked for it instead, if given: done, and of how much.
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
        look: Callable[[], tuple[float, float | None]] | None = None,
        reported: bool = True,
    ) -> None:
        super().__init__(name, slug, PROCESS.reporter() if reported else None)
        self._completed: float = 0
        self._total = total
        self._look = look
        self._steps: list[str] = []
        self._step: str | None = None
        self._description = text(description) if description is not None else None
        self._sent: dict[str, Any] = {}
        self._sent_to_scan: tuple[dict[str, Any], dict[str, Any]] | None = None
        self._declared = False
        self._left_at: float | None = None
        if self._reporter is None:
            return
        try:
            self._begin(self._reporter, metadata, type, steps)
        except Exception:
            logger.debug("a run could not be begun", exc_info=True)
            self.ended = True

    @property
    def stream(self) -> str | None:
        return self.slug

    def advance(self, n: float = 1) -> None:
        """So much more is done."""
        if self.ended:
            return
        try:
            with self._lock:
                self._completed += n
        except TypeError:
            logger.debug("advance takes a number")

    def set(self, completed: float | None = None, *, total: float | None = None) -> None:
        """So much is done in all, of so much."""
        if self.ended:
            return
        with self._lock:
            self._completed = self._completed if completed is None else completed
            self._total = self._total if total is None else total

    def track(self, items: Iterable[T]) -> Iterator[T]:
        """Iterate over `items`; each that is done advances it. Their number is the total, where none was given."""
        if self._total is None and isinstance(items, Sized):
            self.set(total=len(items))
        for item in items:
            yield item
            self.advance()

    def progress(self, percent: float) -> None:
        """So many per cent are done, where nothing can be counted."""
        self.set(percent, total=100)

    def step(self, name: object) -> None:
        """It is in this step now, which need not be declared before."""
        if self.ended:
            return
        with self._lock:
            self._step = text(name, NAME_LENGTH)
            if self._step not in self._steps:
                self._steps.append(self._step)

    def describe(self, description: object) -> None:
        """What it is about, or at, just now."""
        self._description = text(description)

    def annotate(self, metadata: Mapping[str, Any]) -> None:
        """What else is to be known of it, in place of what was."""
        self._put({"metadata": plain(metadata)})

    def status(self, status: str) -> None:
        """How it stands with its goal: in_progress, on_track, at_risk or blocked."""
        self._put({"status": text(status)})

    def finish(self) -> None:
        """It is done. Nothing is told of it afterwards; idempotent."""
        self._end(True, None)

    def fail(self, error: object = "failed") -> None:
        """It has failed: an exception, or a sentence. Idempotent."""
        self._end(False, summary_of(error) if isinstance(error, BaseException) else text(error, ERROR_LENGTH))

    def left(self) -> None:
        """Its loop was left before the end, by `break` or an exception: that it is done cannot be said.

        For a second it stays open, in case that an exception ends the program.
        """
        if self._left_at is None and not self.ended:
            self._left_at = time.monotonic()

    def sample(self) -> None:
        reporter = self._open()
        if reporter is None:
            return
        with self._lock:
            done, total = self._counted()
            news = {"completed": done, "total": total, "description": self._description}
            if news != self._sent:
                self._sent = news
                given = {name: value for name, value in news.items() if value is not None}
                reporter.put(self.path, given, passing=True)
            if self._steps:
                self._tell_scan(reporter, done, total)
        if self._left_at is not None and time.monotonic() >= self._left_at + GRACE:
            self.abandoned()

    def abandoned(self) -> None:
        if self._left_at is None:
            super().abandoned()
            return
        done, total = self._counted()
        self._end(False, f"Stopped at {done:,} of {total:,}." if total is not None else f"Stopped after {done:,}.")

    def _begin(
        self, reporter: Reporter, metadata: Mapping[str, Any] | None, type: str | None, steps: Iterable[str]
    ) -> None:
        self._steps = [text(step, NAME_LENGTH) for step in steps]
        self._declared = bool(self._steps)
        fields: dict[str, Any] = {"name": self.name, "status": "in_progress"}
        if metadata:
            fields["metadata"] = plain(metadata)
        if type:
            fields["stream_type"] = text(type, TYPE_LENGTH)
        reporter.put(self.path, fields)
        self.sample()
        reporter.follow(self)

    def _put(self, fields: Mapping[str, Any]) -> None:
        reporter = self._open()
        if reporter is not None:
            reporter.put(self.path, fields)

    def _counted(self) -> tuple[int, int | None]:
        done, total = self._look() if self._look is not None else (self._completed, self._total)
        return count_of(done) or 0, count_of(total)

    def _tell_scan(self, reporter: Reporter, done: int, total: int | None) -> None:
        progress: dict[str, Any] = {}
        if total:
            progress = {"targets_identified": total, "targets_analyzed": min(done, total)}
            progress["progress"] = round(min(100.0, 100 * done / total), 1)
        elif self._declared and self._step is not None:
            progress["progress"] = round(100 * self._steps.index(self._step) / len(self._steps), 1)
        place = {"steps": list(self._steps)} | ({} if self._step is None else {"step": self._step})
        if (progress, place) == self._sent_to_scan:
            return
        fields = {**progress, **place}
        if self._sent_to_scan is None:
            fields |= {"name": self.name, "stream": self.slug, "status": "scanning"}
        # What the last one says of where it is and how far, the next says anew.
        reporter.put(f"/scans/{self.slug}", fields, passing=self._sent_to_scan is not None)
        self._sent_to_scan = progress, place

    def _end(self, succeeded: bool, error: str | None) -> None:
        reporter = self._open()
        if reporter is None:
            return
        with self._lock:
            if self.ended:
                return
            self._left_at = None
            try:
                self.sample()
            except Exception:
                logger.debug("a run could not be asked", exc_info=True)
            self.ended = True
        reporter.forget(self)
        reason = {} if error is None else {"error": error}
        if self._sent_to_scan is not None:
            status = "completed" if succeeded else "failed"
            reporter.post(f"/scans/{self.slug}/finish", {"status": status, **reason})
        reporter.post(f"{self.path}/finish", {"status": "completed" if succeeded else "blocked", **reason})


def current_run() -> Run:
    """The run around here; where there is none, one of which nothing is told, so that nobody need ask."""
    activity = innermost()
    while activity is not None and not isinstance(activity, Run):
        activity = activity.around
    return activity or Run("nothing", reported=False)
