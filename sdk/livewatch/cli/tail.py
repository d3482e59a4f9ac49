"""`livewatch tail`: prints the live feed, one line per change of a run."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, TextIO

from livewatch.api.feed import Feed
from livewatch.cli.escapes import RESET, padded
from livewatch.cli.exit_codes import ExitCode
from livewatch.delivery.backoff import Backoff
from livewatch.delivery.client import Client, ResponseError, UnreachableError
from livewatch.settings import SettingsError, require_settings

STATUS_COLOURS = {
    "completed": "32",
    "on_track": "32",
    "blocked": "31",
    "failed": "31",
    "cancelled": "90",
    "stopped": "90",
    "deleted": "90",
    "at_risk": "33",
    "paused": "33",
}
RUNNING_COLOUR = "36"


def tail(out: TextIO | None = None) -> int:
    """Print changes until Ctrl-C, reconnecting as needed.

    Args:
        out: Standard output if omitted.

    Returns:
        The exit code.
    """
    out = out or sys.stdout
    try:
        settings = require_settings()
    except SettingsError as error:
        print(f"livewatch: {error}", file=sys.stderr)
        return ExitCode.MISCONFIGURED
    try:
        return _follow(Client(settings), out, Backoff())
    except KeyboardInterrupt:
        return ExitCode.DONE
    except BrokenPipeError:
        # The reader is gone. Redirect, so that the interpreter does not fail to flush at exit.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        return ExitCode.DONE


def format_change(change: Mapping[str, Any], *, is_coloured: bool) -> str:
    """Format a change as a line of time, kind, name, status, per cent, and step or error.

    Args:
        change: A change as the feed sends it; unknown and missing fields are allowed.
        is_coloured: Whether to colour the status by ANSI escapes, and to keep colours that fields bring along.
    """
    # A name must not move the cursor, set the title or colour what follows it.
    fields = {name: str(value) for name, value in change.items() if value is not None}
    status = padded(fields.get("status", ""), 11, is_coloured=False)
    if is_coloured:
        status = f"\x1b[{STATUS_COLOURS.get(status.strip(), RUNNING_COLOUR)}m{status}{RESET}"
    percent = change.get("percent")
    # Rounded down, as on the page: unfinished work never shows 100 %.
    reached = f"{math.floor(percent * 10 + 1e-6) / 10:5.1f} %" if isinstance(percent, int | float) else " " * 7
    columns = [
        _time(fields),
        padded(fields.get("kind", ""), 6, is_coloured=is_coloured),
        padded(fields.get("name", ""), 32, is_coloured=is_coloured),
        status,
        reached,
        *(padded(fields[name], 0, is_coloured=is_coloured) for name in ("step", "error") if name in fields),
    ]
    return "  ".join(columns).rstrip()


def _follow(client: Client, out: TextIO, backoff: Backoff, sleep: Callable[[float], None] = time.sleep) -> int:
    is_coloured = out.isatty() and not os.environ.get("NO_COLOR")
    feed = Feed(client)
    while True:
        reason = "the server closed the stream"
        try:
            for name, data in feed.connect(backoff.reset):
                if name == "reset":
                    print(
                        "livewatch: some changes were missed; `livewatch ls` has the present states.", file=sys.stderr
                    )
                    continue
                change = {**data, "status": "deleted"} if name == "delete" else data
                _print(format_change(change, is_coloured=is_coloured), out)
        except ResponseError as error:
            status = error.response.status
            if status != 429 and status < 500:
                print(f"livewatch: {error}", file=sys.stderr)
                return ExitCode.REJECTED
            reason = str(error)
        except UnreachableError as error:
            reason = str(error)
        if backoff.failures == 0:
            print(f"livewatch: {reason.rstrip('.')}; reconnecting.", file=sys.stderr)
        sleep(backoff.record_failure())


def _print(line: str, out: TextIO) -> None:
    # Replace characters that the terminal's encoding lacks.
    encoding = out.encoding or "utf-8"
    out.write(line.encode(encoding, "replace").decode(encoding) + "\n")
    out.flush()


def _time(fields: Mapping[str, str]) -> str:
    try:
        at = datetime.fromisoformat(fields.get("at", "").replace("Z", "+00:00"))
    except ValueError:
        return " " * 8
    return f"{at.astimezone():%H:%M:%S}"
