"""Reports from shells: one report each, and whether it arrived."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

from livewatch.messages import alert, notify
from livewatch.operations import ERROR_LENGTH, NAME_LENGTH, checked_slug, text
from livewatch.process import PROCESS
from livewatch.settings import SettingsError, read_settings

DONE, REFUSED, MISCONFIGURED, UNREACHABLE = 0, 1, 2, 3
TIMEOUT = 10.0
UNSET = "LIVEWATCH_URL and LIVEWATCH_KEY are not set; an admin makes a key under Settings."


def progress(arguments: argparse.Namespace) -> int:
    """How far a run is, or its end."""
    path = f"/streams/{checked_slug(arguments.slug)}"
    fields: dict[str, Any] = {}
    if arguments.name:
        fields["name"] = text(arguments.name, NAME_LENGTH)
    if arguments.done is not None:
        whole = arguments.total or 100
        if arguments.total is None and arguments.done > 100:
            print(f"livewatch: {arguments.done:g} is more than 100 per cent; give --total.", file=sys.stderr)
            return MISCONFIGURED
        fields |= {"completed": int(arguments.done), "total": whole, "status": "in_progress"}
    elif arguments.total:
        fields["total"] = arguments.total

    def report() -> None:
        reporter = PROCESS.reporter()
        assert reporter is not None
        # A run need not have been told of before its end.
        reporter.put(path, fields)
        if arguments.is_done:
            reporter.post(f"{path}/finish", {"status": "completed"})
        elif arguments.fail:
            reporter.post(f"{path}/finish", {"status": "blocked", "error": text(arguments.fail, ERROR_LENGTH)})

    return _deliver(report)


def send_alert(arguments: argparse.Namespace) -> int:
    """An alert, of the run of `livewatch run` where it is sent from within one."""
    return _deliver(
        lambda: alert(
            arguments.text,
            signal=arguments.type,
            priority=arguments.priority,
            strength=arguments.strength,
            company=arguments.company,
            to=arguments.to,
        )
    )


def send_notification(arguments: argparse.Namespace) -> int:
    """A notification."""
    return _deliver(
        lambda: notify(arguments.title, arguments.message, type=arguments.type, url=arguments.url, to=arguments.to)
    )


def _deliver(report: Callable[[], None]) -> int:
    """Report, wait for the answer, and say what is wrong; returns the exit code."""
    try:
        if read_settings() is None:
            raise SettingsError(UNSET)
    except SettingsError as error:
        print(f"livewatch: nothing was reported. {error}", file=sys.stderr)
        return MISCONFIGURED
    # It is said here, once.
    logging.getLogger("livewatch").setLevel(logging.CRITICAL)
    reporter = PROCESS.reporter()
    assert reporter is not None
    began = time.time()
    report()
    is_delivered = reporter.flush(TIMEOUT)
    refusals = reporter.spool.refusals(since=began)
    setback = reporter.courier.setback
    for refusal in reversed(refusals):
        print(f"livewatch: {refusal.path} was refused: {refusal.reason}", file=sys.stderr)
    if refusals:
        return REFUSED
    if is_delivered:
        return DONE
    reason = setback.reason.rstrip(".") if setback else "the server did not answer in time"
    print(f"livewatch: not sent yet, and kept for the next report: {reason}.", file=sys.stderr)
    return REFUSED if setback and setback.is_for_a_person else UNREACHABLE
