"""Activities: the common base of runs and agents, and the current activity of a thread or task."""

from __future__ import annotations

import itertools
import logging
import math
import os
import threading
import time as clock
from collections.abc import Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from livewatch.delivery.clock import seconds_since, uptime
from livewatch.delivery.operations import checked_slug, iso_time, keyed_slug, slug_of, text, title_of
from livewatch.reporting.pending_metrics import metric_values, step_of
from livewatch.reporting.process import PROCESS
from livewatch.runs.artefacts import Artefacts
from livewatch.runs.endings import FORGOTTEN, Ending, cancelled_by, ending_of

if TYPE_CHECKING:
    from livewatch.reporting.reporter import Reporter

# Set by `livewatch run` to the slug of the stream that it reports for the command.
RUN_VARIABLE = "LIVEWATCH_RUN"

# In the order in which activities and loops begin.
NUMBERS = itertools.count()

LEVELS = ("debug", "info", "warning", "error", "critical")

logger = logging.getLogger("livewatch")
Self = TypeVar("Self", bound="Activity")


class Activity(Artefacts):
    """Base of runs and agents: a context manager with a log that ends once. Thread-safe; no method raises."""

    kind = ""
    """Collection of the API that it belongs to."""

    def __init__(self, name: object, slug: str | None, reporter: Reporter | None, key: object = None) -> None:
        self.name = title_of(name, "run")
        self.slug = checked_slug(slug) if slug else slug_of(self.name, unique=key is None)
        if key is not None:
            self.slug = keyed_slug(self.slug.partition("@")[0], key)
        self.thread = threading.get_ident()
        self._reporter = reporter
        if reporter is not None:
            PROCESS.watch_signals()
        self._lock = threading.RLock()
        self._tokens: list[Token[Activity | None]] = []
        self.ended = reporter is None
        self.parent = _current.get()
        self.number = next(NUMBERS)
        self._began = uptime()
        self._next_step = 0
        self._has_warned_of_metrics = False

    @property
    def is_inherited(self) -> bool:
        """Whether it belongs to the parent of this forked process, which reports it."""
        return self._reporter is not None and self._reporter.is_inherited

    @property
    def reference(self) -> str:
        """Kind and slug, as `streams/nightly`."""
        return f"{self.kind}/{self.slug}"

    @property
    def continuing(self) -> dict[str, Any]:
        """Fields of every report but the first: one that comes after the end must not begin the job's next run."""
        return {} if "@" in self.slug else {"begins": False}

    @property
    def elapsed(self) -> float:
        """Seconds since it began, whatever the computer's clock."""
        return seconds_since(self._began)

    @property
    def path(self) -> str:
        """Path of its resource, relative to /api/v1."""
        return f"/{self.reference}"

    @property
    def stream(self) -> str | None:
        """Slug of the stream that it belongs to."""
        raise NotImplementedError

    def log(
        self,
        message: object = None,
        level: str = "info",
        *,
        step: object = None,
        time: object = None,
        **metrics: object,
    ) -> None:
        """Add one or more lines to its log, or values to its metrics: `log("Done")`, `log(loss=0.3, step=10)`.

        Args:
            message: Text, whose empty lines are skipped; or a mapping of metrics, as `{"val/loss": 0.3}`.
            level: debug, info, warning, error or critical.
            step: Number of the step of the metrics, a whole number from 0; by default the one after its latest.
            time: When they were measured, as `time.time()` has it; now by default.
            metrics: Numbers by the names of the metrics; NaN and infinities are kept. A later value at a step replaces
                an earlier one.
        """
        reporter = self._open_reporter()
        if reporter is None:
            return
        try:
            if isinstance(message, Mapping):
                metrics, message = {**message, **metrics}, None
            if message is not None:
                log_lines(reporter, self.reference, checked_level(level), str(message), iso_time(clock.time()))
            if metrics:
                self._measure(reporter, metrics, step, time)
        except Exception:
            logger.debug("logging failed", exc_info=True)

    def _measure(self, reporter: Reporter, metrics: Mapping[Any, Any], step: object, epoch: object) -> None:
        values, refused = metric_values(metrics)
        chosen = None if step is None else step_of(step)
        if refused or (step is not None and chosen is None):
            self._warn_of_metrics(refused, step)
        with self._lock:
            if chosen is None:
                chosen = self._next_step
            self._next_step = max(self._next_step, chosen + 1)
        if values:
            at = epoch if isinstance(epoch, int | float) and math.isfinite(epoch) else clock.time()
            reporter.measure(self.reference, chosen, at, values)

    def _warn_of_metrics(self, refused: Sequence[str], step: object) -> None:
        # Once: a loop may log the same again and again.
        if self._has_warned_of_metrics:
            return
        self._has_warned_of_metrics = True
        if refused:
            logger.warning(
                "Livewatch: metrics of %s are left out: %s. A metric is a number, under a name of 1 to 200 characters.",
                self.name,
                ", ".join(repr(each[:60]) for each in refused[:5]),
            )
        else:
            logger.warning(
                "Livewatch: %.60r is no step of %s, which are whole numbers from 0; the next step is used.",
                step,
                self.name,
            )

    def sample(self) -> None:
        """Report what changed since the last sample; by default, changes are reported as they happen."""

    def on_crash(self, error: BaseException) -> None:
        """End with the exception that ended its thread."""
        self.end_with(error)

    def on_exit(self) -> None:
        """End because the process exits."""
        self._leave(FORGOTTEN if PROCESS.signal_name is None else cancelled_by(PROCESS.signal_name))

    def on_signal(self, name: str) -> None:
        """End because a signal ends the process."""
        self._leave(cancelled_by(name))

    def end_with(self, error: BaseException | None) -> None:
        """End successfully, cancelled or failed, as the exception says; see `ending_of`. Idempotent."""
        self._leave(ending_of(error, PROCESS.signal_name))

    def _open_reporter(self) -> Reporter | None:
        """Return the reporter unless the activity has ended."""
        return None if self.ended else self._reporter

    def _close(self) -> Reporter | None:
        """Sample a last time and accept no further reports.

        Returns:
            The reporter, to report the end to; None if there is none or the activity has ended before.
        """
        reporter = self._open_reporter()
        if reporter is None:
            return None
        with self._lock:
            if self.ended:
                return None
            try:
                self.sample()
            except Exception:
                logger.debug("sampling a run failed", exc_info=True)
            self.ended = True
        reporter.remove_source(self)
        return reporter

    def _leave(self, ending: Ending) -> None:
        """End as far as this process is concerned."""
        self._end(ending)

    def _end(self, ending: Ending) -> None:
        raise NotImplementedError

    def _enter(self) -> None:
        self._tokens.append(_current.set(self))

    def _exit(self, error: BaseException | None) -> None:
        # It may have been entered in another task or thread.
        with suppress(ValueError, IndexError, RuntimeError):
            _current.reset(self._tokens.pop())
        self.end_with(error)

    def __enter__(self: Self) -> Self:
        self._enter()
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        self._exit(error)

    async def __aenter__(self: Self) -> Self:
        self._enter()
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        self._exit(error)


def current_activity() -> Activity | None:
    """Return the innermost activity entered in this thread or task; it may have ended."""
    return _current.get()


def current_stream() -> str | None:
    """Return the slug of the current stream, also if `livewatch run` reports it; None if there is none."""
    activity = _current.get()
    if activity is not None and (not activity.ended or activity.is_inherited):
        return activity.stream
    return os.environ.get(RUN_VARIABLE) or None


def checked_level(level: object) -> str:
    """Return a level that the API knows; `info` in place of any other."""
    name = text(level).lower()
    return name if name in LEVELS else "info"


def log_lines(reporter: Reporter, reference: str, level: str, message: str, at: str) -> None:
    """Add the non-empty lines of a message to the log of an activity.

    Args:
        reporter: Sends the lines.
        reference: Kind and slug of the activity.
        level: Name of the level.
        message: Text of any number of lines.
        at: Time in ISO 8601 with zone.
    """
    for line in message.splitlines():
        if line.strip():
            reporter.log(reference, level, text(line), at)


_current: ContextVar[Activity | None] = ContextVar("livewatch_activity", default=None)
