"""The logging handler: sends log records to the run in which they were logged."""

from __future__ import annotations

import logging

from livewatch.delivery.operations import iso_time
from livewatch.reporting.process import PROCESS
from livewatch.runs.activities import Activity, current_activity, log_lines

OWN_LOGGER = "livewatch"
LEVEL_NAMES = ((50, "critical"), (40, "error"), (30, "warning"), (20, "info"))


class LogHandler(logging.Handler):
    """Sends records to the given run, else to the current activity, else to the process's only active one.

    Records that belong to no active run are not sent, nor are the SDK's own.

    Args:
        level: Lowest level to send.
        run: Run or agent that receives all records.
    """

    def __init__(self, level: int | str = logging.INFO, *, run: Activity | None = None) -> None:
        super().__init__(level)
        self._run = run

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record; never raises, and leaves formatting errors to `logging`."""
        if record.name.partition(".")[0] == OWN_LOGGER:
            return
        try:
            reporter = PROCESS.existing_reporter()
            if reporter is None:
                return
            target = self._run or current_activity() or reporter.only_source()
            if target is None or target.ended:
                return
            at = iso_time(record.created)
            log_lines(reporter, target.reference, _level_name(record.levelno), self.format(record), at)
        except Exception:
            self.handleError(record)


def _level_name(number: int) -> str:
    return next((name for least, name in LEVEL_NAMES if number >= least), "debug")
