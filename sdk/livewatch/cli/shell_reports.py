"""`livewatch progress`, `alert` and `notify`: one report each, delivered before the command returns."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

from livewatch.cli.exit_codes import ExitCode
from livewatch.delivery.errors import MisconfiguredError
from livewatch.delivery.operations import MAX_ERROR_CHARACTERS, MAX_NAME_CHARACTERS, checked_slug, text, title_of
from livewatch.messages import alert, notify
from livewatch.reporting.process import PROCESS
from livewatch.reporting.reporter import Reporter
from livewatch.settings import SettingsError, require_settings

DELIVERY_TIMEOUT_SECONDS = 10.0
MAX_UNIT_CHARACTERS = 20


def report_progress(arguments: argparse.Namespace) -> int:
    """Report the progress of a run, or its end; return the exit code."""
    path = f"/streams/{checked_slug(arguments.slug)}"
    fields: dict[str, Any] = {}
    if arguments.name:
        fields["name"] = text(arguments.name, MAX_NAME_CHARACTERS)
    if arguments.done is not None:
        field, number = arguments.done
        # An earlier report may have given the total; only a run without one counts in per cent.
        fields |= {field: number, "status": "in_progress"} | ({"default_total": 100} if number <= 100 else {})
    elif arguments.is_done:
        fields["percent"] = 100
    if arguments.total:
        fields["total"] = arguments.total
    if arguments.unit:
        fields["unit"] = title_of(arguments.unit, "units", MAX_UNIT_CHARACTERS)

    def report(reporter: Reporter) -> None:
        # Also before an end: it creates a run that was not reported yet.
        reporter.put(path, fields)
        if arguments.is_done:
            reporter.post(f"{path}/finish", {"status": "completed"})
        elif arguments.fail:
            reporter.post(f"{path}/finish", {"status": "blocked", "error": text(arguments.fail, MAX_ERROR_CHARACTERS)})

    return _deliver(report)


def send_alert(arguments: argparse.Namespace) -> int:
    """Send an alert, linked to the stream of the `livewatch run` around it; return the exit code."""
    return _deliver(
        lambda _: alert(
            arguments.text,
            signal=arguments.type,
            priority=arguments.priority,
            strength=arguments.strength,
            company=arguments.company,
            to=arguments.to,
        )
    )


def send_notification(arguments: argparse.Namespace) -> int:
    """Send a notification; return the exit code."""
    return _deliver(
        lambda _: notify(arguments.title, arguments.message, type=arguments.type, url=arguments.url, to=arguments.to)
    )


def _deliver(report: Callable[[Reporter], None]) -> int:
    """Report, wait for the server's answer and print an error, if any; return the exit code."""
    try:
        require_settings()
    except SettingsError as error:
        print(f"livewatch: {error}", file=sys.stderr)
        return ExitCode.MISCONFIGURED
    # The errors are printed here, once.
    logging.getLogger("livewatch").setLevel(logging.CRITICAL)
    reporter = PROCESS.reporter()
    assert reporter is not None
    started_at = time.time()
    report(reporter)
    is_delivered = reporter.flush(DELIVERY_TIMEOUT_SECONDS)
    rejections = reporter.queue.rejections(since=started_at)
    for rejection in reversed(rejections):
        print(f"livewatch: {rejection.path} was rejected: {rejection.reason}", file=sys.stderr)
    if rejections:
        return ExitCode.REJECTED
    if is_delivered:
        return ExitCode.DONE
    failure = reporter.worker.last_error
    reason = failure.reason if failure else "request timed out"
    print(f"livewatch: delivery failed; the report stays queued: {reason}.", file=sys.stderr)
    return ExitCode.REJECTED if isinstance(failure, MisconfiguredError) else ExitCode.UNREACHABLE
