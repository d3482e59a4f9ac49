"""A handler that sends what a program logs to the run that it is logged in."""

from __future__ import annotations

import logging
from datetime import datetime, timezone

from livewatch.activities import Activity, innermost
from livewatch.operations import text
from livewatch.process import PROCESS

OWN = "livewatch"


class LogHandler(logging.Handler):
    """Of a record that belongs to no run, neither the one given nor one around it, nothing is sent.

    With one run only going on in the process, records of every thread are taken for its own.
    """

    def __init__(self, level: int | str = logging.INFO, *, run: Activity | None = None) -> None:
        super().__init__(level)
        self._run = run

    def emit(self, record: logging.LogRecord) -> None:
        """Tell it; never raises, and leaves `logging` to complain of a record that cannot be formatted."""
        if record.name.partition(".")[0] == OWN:
            return
        try:
            reporter = PROCESS.existing()
            if reporter is None:
                return
            place = self._run or innermost() or reporter.only_source()
            if place is None or place.ended:
                return
            at = datetime.fromtimestamp(record.created, timezone.utc).isoformat()
            for line in self.format(record).splitlines():
                if line.strip():
                    reporter.log(place.beat_path, level_of(record.levelno), text(line), at)
        except Exception:
            self.handleError(record)


def level_of(number: int) -> str:
    """The nearest of the usual names."""
    for least, name in ((50, "critical"), (40, "error"), (30, "warning"), (20, "info")):
        if number >= least:
            return name
    return "debug"
