"""Runs: units of work with a start, progress and an end, shown as streams and, with steps, as scans."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sized
from typing import TYPE_CHECKING, Any, TypeVar

from livewatch.delivery.operations import (
    MAX_ERROR_CHARACTERS,
    amount_of,
    metadata_of,
    tags_of,
    text,
    title_of,
    without_none,
)
from livewatch.reporting.environment import ENVIRONMENT, Environment
from livewatch.reporting.process import PROCESS
from livewatch.runs.activities import Activity
from livewatch.runs.bars import BREAK_GRACE_SECONDS, Bar, Bars, ProgressSource
from livewatch.runs.counts import Counts
from livewatch.runs.endings import COMPLETED, STOPPED, Ending, Outcome, cancelled_by, ending_of
from livewatch.runs.steps import Steps

if TYPE_CHECKING:
    from livewatch.reporting.reporter import Reporter

MAX_TYPE_CHARACTERS = 60
MAX_UNIT_CHARACTERS = 20
MAX_ATTEMPTS = 1000
STATUSES = ("not_started", "in_progress", "on_track", "at_risk", "blocked")

T = TypeVar("T")

logger = logging.getLogger("livewatch")


class Run(Activity):
    """A stream, started by its construction; its first step adds a scan with the same slug.

    Ends with its `with` block, or by `finish` or `fail`. Counting costs next to nothing: the reporter samples the
    count twice a second. A run without counts of its own shows the progress of its newest bar.

    Args:
        name: Title, up to 200 characters.
        total: Number of units to do.
        steps: Names of its steps, in order.
        slug: Name of the job in URLs, whose runs are numbered; made from `name` if omitted. Processes that give it at
            the same time share one run, which ends with the last of them; without it, each has a run of its own.
        key: Names this run among those of the job, for programs that know it by a name already; processes that give the
            same one share the run.
        attempt: Number of the try, from 1; a later one continues the run of the same `key`.
        description: What it does, up to 2,000 characters.
        metadata: JSON values to show with it.
        type: One or two words by which to find runs of the same kind.
        unit: Name of the units; with "B", amounts show as KiB, MiB and so on.
        progress_source: Returns units done and their total, None where unknown; sampled in place of `advance` and
            `set`.
        tags: Words by which to find runs: at most 20, of 1 to 40 characters.
        environment: What its program runs in; this process by default.
        schedule: When runs of the job are expected: `expect`, and `zone`, `grace` and `max`, as the API takes them.
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
        unit: str | None = None,
        key: object = None,
        attempt: int = 1,
        tags: Iterable[object] = (),
        progress_source: ProgressSource | None = None,
        environment: Environment = ENVIRONMENT,
        schedule: Mapping[str, str] | None = None,
        reported: bool = True,
    ) -> None:
        super().__init__(name, slug, PROCESS.reporter() if reported else None, key)
        self._attempt_number = attempt_of(attempt)
        self._counts = Counts(self.name, total)
        self._progress_source = progress_source
        self._unit = title_of(unit, "", MAX_UNIT_CHARACTERS) or None if unit is not None else None
        self._description = text(description) if description is not None else None
        self._sent: dict[str, Any] = {}
        self._steps = Steps(self.name, self.slug, steps, self._attempt_number)
        self._bars = Bars()
        self._tags: list[str] = []
        self._environment = environment
        self._schedule = schedule
        # Until it starts: a run that another process started has an environment already.
        self._needs_environment = False
        self._is_shared = slug is not None or key is not None
        self._abandoned_at: float | None = None
        self._ending: Ending | None = None
        if self._reporter is None:
            return
        try:
            self._tags = self._checked_tags(tags)
            self._start(self._reporter, metadata, type)
        except Exception:
            logger.debug("starting a run failed", exc_info=True)
            self.ended = True

    @property
    def stream(self) -> str | None:
        """Its own slug."""
        return self.slug

    @property
    def url(self) -> str | None:
        """URL of its page; None for a run that is not reported."""
        return None if self._reporter is None else page_url(self._reporter.url, self.slug)

    @property
    def is_left(self) -> bool:
        """Whether it has ended or its loop was left, so that later loops do not belong to it."""
        return self.ended or self._abandoned_at is not None

    def advance(self, n: float = 1) -> None:
        """Add `n` units to those done, of all processes that share the run."""
        if self.ended:
            return
        with self._lock:
            self._counts.advance(n)

    def set(self, completed: float | None = None, *, total: float | None = None) -> None:
        """Set the units done, their total, or both."""
        if self.ended:
            return
        with self._lock:
            self._counts.set(completed, total)

    def track(self, items: Iterable[T]) -> Iterator[T]:
        """Iterate over `items`, advancing by one per item; adds their number to a total that was not given."""
        if isinstance(items, Sized):
            with self._lock:
                self._counts.expect(len(items))
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
            self._steps.enter(name)

    def describe(self, description: object) -> None:
        """Replace the description."""
        self._description = text(description)

    def annotate(self, metadata: Mapping[str, Any]) -> None:
        """Replace the metadata."""
        self._put(without_none({"metadata": self._metadata(metadata)}))

    def tag(self, *tags: object) -> None:
        """Add tags, by which lists are filtered: words of 1 to 40 characters, at most 20 for a run."""
        try:
            with self._lock:
                known, self._tags = self._tags, self._checked_tags(tags)
                if self._tags != known:
                    self._put({"tags": self._tags})
        except Exception:
            logger.debug("tagging a run failed", exc_info=True)

    def status(self, status: str) -> None:
        """Set the status: in_progress, on_track, at_risk or blocked."""
        if status not in STATUSES:
            logger.warning(
                "Livewatch: unknown status %.80r of the run %s is left out. Valid: %s; `finish` and `fail` end a run.",
                status,
                self.name,
                ", ".join(STATUSES),
            )
            return
        self._put({"status": status})

    def finish(self) -> None:
        """End successfully, for all processes that share it; later calls report nothing. Idempotent."""
        self._end(COMPLETED)

    def fail(self, error: object = "failed") -> None:
        """End as blocked, with an exception or a sentence, for all processes that share it. Idempotent."""
        reason = ending_of(error).error if isinstance(error, BaseException) else text(error, MAX_ERROR_CHARACTERS)
        self._end(Ending(Outcome.FAILED, reason))

    def cancel(self, signal_name: str) -> None:
        """End as cancelled by a signal. Idempotent."""
        self._end(cancelled_by(signal_name))

    def add_bar(self, parent: Bar | None, name: str, unit: str | None, progress_source: ProgressSource) -> Bar:
        """Begin a bar below another one, or directly below the run."""
        with self._lock:
            return self._bars.add(self, parent, name, unit, progress_source)

    def on_bar_end(self) -> None:
        """End, if that only waited for the last bar."""
        if self._ending is not None and not self._bars.has_open:
            self._leave(self._ending)

    def end_after_bars(self, ending: Ending) -> None:
        """End as soon as no bar is open: bars beside a loop may outlast it."""
        with self._lock:
            self._ending = self._ending or ending
            self.on_bar_end()

    def abandoned_early(self) -> None:
        """Note that its loop was left before the end, by `break` or an exception.

        It stays open for a second: if an exception ends the program by then, it ends with that, else as stopped.
        """
        if self._abandoned_at is None and not self.ended:
            self._abandoned_at = time.monotonic()

    def sample(self) -> None:
        """Report progress, description, bars and step if they changed."""
        reporter = self._open_reporter()
        if reporter is None:
            return
        with self._lock:
            self._report_progress(reporter)
        abandoned_at = self._abandoned_at
        if abandoned_at is not None and time.monotonic() >= abandoned_at + BREAK_GRACE_SECONDS:
            self.end_after_bars(STOPPED)

    def on_exit(self) -> None:
        """End because the process exits, or because its loop ended or was left early."""
        if self._ending is not None or self._abandoned_at is not None:
            self._leave(self._ending or STOPPED)
        else:
            super().on_exit()

    def _report_progress(self, reporter: Reporter) -> None:
        self._report_environment(reporter)
        bars = self._bars.take()
        counted = self._counted()
        advance = counted.pop("advance", None)
        state = without_none({**self._sent, **bars, **counted, "description": self._description})
        if state != self._sent or advance is not None:
            self._sent = state
            fields = {**state, "advance": advance} if advance is not None else state
            if advance is not None:
                # The sum of all processes is the server's to know.
                fields.pop("completed", None)
                self._sent = {name: value for name, value in state.items() if name != "completed"}
            reporter.put(self.path, {**fields, **self.continuing}, coalescable=advance is None)
        for fields, coalescable in self._steps.take(self._counts, state.get("completed"), state.get("total")):
            who: dict[str, Any] = self.continuing
            if "stream" in fields:
                who = {"program": reporter.id, **({"reporter": reporter.id} if self._is_shared else {})}
            reporter.put(f"/scans/{self.slug}", {**fields, **who}, coalescable=coalescable)

    def _counted(self) -> dict[str, Any]:
        """Return units done or added, their total and their unit."""
        if self._progress_source is not None:
            done, total = (None if each is None else amount_of(each) for each in self._progress_source())
            return {"completed": done, "total": total, "unit": self._unit}
        if self._counts.is_used:
            return {**self._counts.take(), "unit": self._unit}
        leading = self._bars.leading
        if leading is None:
            return {"unit": self._unit}
        # Each loop has a total and a unit of its own, or none.
        unit = self._unit or leading.unit or ("" if "unit" in self._sent else None)
        return {"completed": leading.done, "total": leading.total or 0, "unit": unit}

    def _start(self, reporter: Reporter, metadata: Mapping[str, Any] | None, type: str | None) -> None:
        fields = {
            "name": self.name,
            "status": "in_progress",
            "metadata": self._metadata(metadata) if metadata else None,
            "stream_type": title_of(type, "general", MAX_TYPE_CHARACTERS) if type else None,
            "reporter": reporter.id if self._is_shared else None,
            "program": reporter.id,
            "attempt": self._attempt_number,
            "tags": self._tags or None,
            "schedule": dict(self._schedule) if self._schedule else None,
        }
        self._environment.begin()
        self._needs_environment = True
        reporter.put(self.path, without_none(fields))
        self.sample()
        reporter.add_source(self)

    def _report_environment(self, reporter: Reporter, *, is_last: bool = False) -> None:
        if not self._needs_environment:
            return
        content = self._environment.take(is_last=is_last)
        if content is None:
            return
        self._needs_environment = False
        if content:
            reporter.put(self.path, {"environment": content, **self.continuing})

    def _checked_tags(self, tags: object) -> list[str]:
        """Return its tags and further ones; warns of those that are none."""
        found, refused = tags_of(tags, self._tags)
        if refused:
            logger.warning(
                "Livewatch: tags of the run %s are left out: %s. A run has at most 20, of 1 to 40 characters.",
                self.name,
                ", ".join(repr(text(each, 60)) for each in refused),
            )
        return found

    def _metadata(self, metadata: object) -> dict[str, Any] | None:
        found = metadata_of(metadata)
        if found is None:
            logger.warning("Livewatch: the metadata of the run %s is no mapping or too large; left out.", self.name)
        return found

    def _send_last_environment(self) -> None:
        reporter = self._open_reporter()
        if reporter is not None:
            with self._lock:
                self._report_environment(reporter, is_last=True)

    def _put(self, fields: Mapping[str, Any]) -> None:
        reporter = self._open_reporter()
        if reporter is not None and fields:
            reporter.put(self.path, {**fields, **self.continuing})

    def _leave(self, ending: Ending) -> None:
        self._end(ending, leaves=True)

    def _end(self, ending: Ending, *, leaves: bool = False) -> None:
        # Before the last sample, which otherwise may end the run itself.
        self._abandoned_at = self._ending = None
        with self._lock:
            for bar in self._bars.open_bars():
                bar.end(STOPPED if ending.outcome is Outcome.COMPLETED else ending)
        self._send_last_environment()
        reporter = self._close()
        if reporter is None:
            return
        who = {"reporter": reporter.id if leaves and self._is_shared else None, "error": ending.error}
        for fields in self._steps.last_fields(self._counts, ending):
            reporter.put(f"/scans/{self.slug}", fields)
        if self._steps.is_reported:
            keeps = self._steps.has_progress and ending.outcome is Outcome.COMPLETED
            end = {**who, "status": ending.outcome.status(), "keep_progress": keeps or None}
            reporter.post(f"/scans/{self.slug}/finish", without_none({**end, "elapsed": self._steps.elapsed}))
        end = {**who, "status": ending.outcome.status("blocked")}
        reporter.post(f"{self.path}/finish", without_none({**end, "elapsed": self.elapsed}))


def attempt_of(value: object) -> int | None:
    """Return the number of a try as the API takes it; None for the first, and for what is no such number."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 1 < value <= MAX_ATTEMPTS else None


def page_url(root: str, slug: str) -> str:
    """Return the URL of a stream's page.

    Args:
        root: Root URL of the app.
        slug: Slug of the stream, of characters that URLs may have.
    """
    return f"{root}/streams/by-slug/{slug}"
