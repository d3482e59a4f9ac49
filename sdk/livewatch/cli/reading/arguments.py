"""Arguments of `livewatch ls`, `show`, `logs` and `open`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from livewatch.cli.tidying_arguments import KINDS

COMMANDS = ("ls", "show", "logs", "open")
LISTS = ("streams", "scans", "agents", "alerts", "notifications", "activities")
LEVELS = ("debug", "info", "warning", "error", "critical")
AGE = re.compile(r"(\d{1,6})([smhdw])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def add_reading_arguments(add_command: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Add the commands, each by `add_command(name, help)`."""
    ls = add_command("ls", "list runs or messages, the latest first: livewatch ls --status blocked --since 2d")
    ls.add_argument("what", nargs="?", choices=LISTS, default="streams", help="(default: streams)")
    for name, help in (
        ("status", "status, such as blocked, stalled or unreachable; several between commas"),
        ("search", "words that it contains, ignoring case and accents"),
        ("job", "slug of a job"),
        ("type", "kind of stream or signal"),
        ("tag", "tag of a stream"),
        ("stream", "slug or id of a stream"),
        ("priority", "priority of an alert"),
    ):
        ls.add_argument(f"--{name}", metavar=name.upper(), help=help)
    ls.add_argument("--since", type=_time, metavar="TIME", help="created from then on: 30m, 2h, 7d, or 2026-01-31")
    ls.add_argument("--until", type=_time, metavar="TIME", help="created before then")
    shown = ls.add_mutually_exclusive_group()
    shown.add_argument("--archived", action="store_true", help="only archived runs")
    shown.add_argument("--all", action="store_true", help="also archived runs")
    ls.add_argument("--sort", choices=("newest", "updated"), help="(default: newest)")
    ls.add_argument("--limit", type=_count, default=50, metavar="N", help="at most so many (default: 50)")
    show = add_command("show", "print a run: livewatch show nightly")
    logs = add_command("logs", "print the log of a run: livewatch logs nightly --follow")
    logs.add_argument("--follow", action="store_true", help="print lines as they come, until the run has finished")
    logs.add_argument("--level", choices=LEVELS, help="lines of this level and above")
    logs.add_argument("--lines", type=_count, default=200, metavar="N", help="the last N lines (default: 200)")
    open_ = add_command("open", "open the page of a run in the browser: livewatch open nightly")
    open_.add_argument("--no-browser", action="store_true", help="only print the address")
    for each in (show, logs, open_):
        each.add_argument("slug", metavar="SLUG", help="name of the run or of its job in URLs, job@NUMBER, or an id")
        each.add_argument("--kind", choices=KINDS, help="kind of run (default: the first that has the slug)")
    for each in (ls, show, logs):
        each.add_argument("--json", action="store_true", help="print JSON, one object a line")


def levels_from(level: str | None) -> tuple[str, ...] | None:
    """Return a level and those above it; None for all."""
    return None if level is None else LEVELS[LEVELS.index(level) :]


def _count(value: str) -> int:
    if not (value.isascii() and value.isdigit() and 0 < int(value) < 10**9):
        raise argparse.ArgumentTypeError(f"{value} is not a whole number from 1 on")
    return int(value)


def _time(value: str) -> datetime:
    try:
        if age := AGE.fullmatch(value):
            return datetime.now(timezone.utc) - timedelta(**{UNITS[age[2]]: int(age[1])})
        # A time without a zone is one of this machine.
        return datetime.fromisoformat(value.replace("Z", "+00:00")).astimezone()
    except (ValueError, OverflowError, OSError) as error:
        raise argparse.ArgumentTypeError(
            f"{value} is neither an age such as 30m, 2h or 7d nor a time such as 2026-01-31T12:00"
        ) from error
