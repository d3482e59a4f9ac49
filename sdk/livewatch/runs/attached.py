"""The run of `livewatch run` as seen from its command, which reports to it and does not end it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from livewatch.reporting.process import PROCESS
from livewatch.runs.activities import RUN_VARIABLE, current_activity
from livewatch.runs.endings import COMPLETED, FORGOTTEN, Ending, Outcome
from livewatch.runs.run import Run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from livewatch.reporting.reporter import Reporter
    from livewatch.runs.bars import Bar, ProgressSource

# A file that tells `livewatch run` that its command reports progress itself, which then need not be parsed.
PROGRESS_VARIABLE = "LIVEWATCH_RUN_PROGRESS"


class AttachedRun(Run):
    """A run that another process starts and ends; `finish` and `fail` end only what this process reports to it."""

    def _start(self, reporter: Reporter, metadata: Mapping[str, Any] | None, type: str | None) -> None:
        reporter.add_source(self)

    def add_bar(self, parent: Bar | None, name: str, unit: str | None, progress_source: ProgressSource) -> Bar:
        self.claim_progress()
        return super().add_bar(parent, name, unit, progress_source)

    def _report_progress(self, reporter: Reporter) -> None:
        super()._report_progress(reporter)
        if "completed" in self._sent or self._counts.is_used:
            self.claim_progress()

    def claim_progress(self) -> None:
        """Tell `livewatch run` that the progress is reported from here on, and need not be parsed."""
        if marker := os.environ.get(PROGRESS_VARIABLE):
            with suppress(OSError):
                Path(marker).touch()

    def _end(self, ending: Ending, *, leaves: bool = False) -> None:
        self._abandoned_at = self._ending = None
        if ending is FORGOTTEN:
            ending = COMPLETED
        if ending.error is not None and ending.outcome is Outcome.FAILED:
            self.log(ending.error, "error")
        with self._lock:
            for bar in self._bars.open_bars():
                bar.end(ending)
        reporter = self._close()
        if reporter is not None and self._steps.is_reported:
            reporter.post(f"/scans/{self.slug}/finish", {"status": ending.outcome.status()})


def attached_run() -> Run | None:
    """Return the run of the `livewatch run` around this process; None without one."""
    slug = os.environ.get(RUN_VARIABLE)
    reporter = PROCESS.reporter() if slug else None
    if reporter is None or not slug:
        return None
    attached = next((each for each in reporter.sources() if isinstance(each, AttachedRun)), None)
    return attached or AttachedRun(slug, slug=slug)


def current_run() -> Run:
    """Return the current run; outside of any run, one that reports nothing, so that callers need not check."""
    activity = current_activity()
    while activity is not None and not isinstance(activity, Run):
        activity = activity.parent
    return activity or attached_run() or Run("nothing", reported=False)
