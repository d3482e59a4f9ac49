"""The live feed in a terminal: a line for each change of a run."""

from __future__ import annotations

import json
import math
import os
import random
import re
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, TextIO

from livewatch.client import Client, Refused, Unreachable
from livewatch.settings import SettingsError, read_settings
from livewatch.shell_reports import DONE, MISCONFIGURED, REFUSED, UNSET

# The server says every few seconds that it is there.
SILENCE = 20.0
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
COLOURS = {
    "completed": "32",
    "on_track": "32",
    "blocked": "31",
    "failed": "31",
    "cancelled": "90",
    "at_risk": "33",
    "paused": "33",
}
RUNNING = "36"
# A name must not move the cursor, or colour what follows.
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def tail(out: TextIO | None = None) -> int:
    """Print changes until Ctrl-C, whatever happens to the connection; returns the exit code."""
    out = out or sys.stdout
    try:
        settings = read_settings()
        if settings is None:
            raise SettingsError(UNSET)
    except SettingsError as error:
        print(f"livewatch: {error}", file=sys.stderr)
        return MISCONFIGURED
    try:
        return _follow(Client(settings), out)
    except KeyboardInterrupt:
        return DONE
    except BrokenPipeError:
        # Nobody reads on; nor shall the interpreter complain of it when it ends.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        return DONE


def _follow(client: Client, out: TextIO) -> int:
    is_coloured = out.isatty() and not os.environ.get("NO_COLOR")
    failures = 0
    while True:
        event, reason = "", "the stream ended"
        try:
            for line in client.listen("/feed", timeout=SILENCE):
                failures = 0
                name, _, value = line.partition(": ")
                if name == "event":
                    event = value
                elif name == "data" and event == "change":
                    _print(value, out, is_coloured)
                elif not line:
                    event = ""
        except Refused as refused:
            status = refused.answer.status
            if status != 429 and status < 500:
                print(f"livewatch: {refused.answer.error}", file=sys.stderr)
                return REFUSED
            reason = refused.answer.error
        except Unreachable as error:
            reason = str(error)
        if failures == 0:
            print(f"livewatch: {reason.rstrip('.')}; trying again.", file=sys.stderr)
        failures += 1
        time.sleep(random.uniform(0.1, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(failures, 10))))


def _print(data: str, out: TextIO, is_coloured: bool) -> None:
    try:
        change = json.loads(data)
    except ValueError:
        return
    if isinstance(change, dict):
        line = line_of(change, is_coloured=is_coloured)
        # Where the terminal cannot show a character, it gets another in its place.
        encoding = out.encoding or "utf-8"
        out.write(line.encode(encoding, "replace").decode(encoding) + "\n")
        out.flush()


def line_of(change: Mapping[str, Any], *, is_coloured: bool) -> str:
    """Time, kind, name, status and per cent of a change, and what else there is to say."""
    said = {name: CONTROLS.sub(" ", str(value)) for name, value in change.items() if value is not None}
    status = f"{said.get('status', ''):<11}"
    if is_coloured:
        status = f"\x1b[{COLOURS.get(status.strip(), RUNNING)}m{status}\x1b[0m"
    percent = change.get("percent")
    # In whole tenths that are reached, as on the page: what is not done never says 100 %.
    reached = f"{math.floor(percent * 10 + 1e-6) / 10:5.1f} %" if isinstance(percent, int | float) else " " * 7
    rest = "  ".join(said[name] for name in ("step", "error") if name in said)
    return f"{_time(said)}  {said.get('kind', ''):<6}  {said.get('name', ''):<32}  {status}  {reached}  {rest}".rstrip()


def _time(said: Mapping[str, str]) -> str:
    try:
        at = datetime.fromisoformat(said.get("at", "").replace("Z", "+00:00"))
    except ValueError:
        return " " * 8
    return f"{at.astimezone():%H:%M:%S}"
