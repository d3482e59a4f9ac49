"""`livewatch ls`, `show`, `logs` and `open`: read runs and print them."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, fields
from datetime import date, datetime
from typing import Any, TextIO

from livewatch.api import (
    Activity,
    Alert,
    ApiError,
    Client,
    LogLine,
    NotConfiguredError,
    NotFoundError,
    Notification,
    ServerUnreachableError,
)
from livewatch.api.lists import shown
from livewatch.api.rows import Row, Run
from livewatch.api.tables import Runs
from livewatch.cli.browser import open_page
from livewatch.cli.exit_codes import ExitCode
from livewatch.cli.reading.arguments import levels_from
from livewatch.cli.reading.table import printable, table, width_of

FILTERS = ("status", "search", "job", "type", "tag", "stream", "priority", "since", "until", "sort")
NAMES = {"search": "q"}


def read(arguments: argparse.Namespace, out: TextIO | None = None) -> int:
    """Run a command that reads; return the exit code."""
    out = out or sys.stdout
    command: Callable[[argparse.Namespace, Client, TextIO], None] = {
        "ls": _list,
        "show": _show,
        "logs": _logs,
        "open": _open,
    }[arguments.command]
    try:
        with Client() as client:
            command(arguments, client, out)
            out.flush()
    except NotConfiguredError as error:
        return _failed(error, ExitCode.MISCONFIGURED)
    except ServerUnreachableError as error:
        return _failed(error, ExitCode.UNREACHABLE)
    except ApiError as error:
        return _failed(error, ExitCode.REJECTED)
    except BrokenPipeError:
        # The reader is gone. Redirect, so that the interpreter does not fail to flush at exit.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
    return ExitCode.DONE


def _list(arguments: argparse.Namespace, client: Client, out: TextIO) -> None:
    rows = _rows(arguments, client)
    if arguments.json:
        for row in rows:
            _print_json(row, out)
        return
    found = list(rows)
    if not found:
        print(f"No {arguments.what} match.", file=sys.stderr)
        return
    cells = [list(map(printable, _cells(row))) for row in found]
    headings = _headings(found[0])
    width = shutil.get_terminal_size().columns if out.isatty() else None
    for line in table(headings, cells, width=width, flexible=headings.index("NAME")):
        _print(line, out)


def _rows(arguments: argparse.Namespace, client: Client) -> Iterator[Row]:
    # As they were given: which filters a list has, the server says.
    given = {NAMES.get(name, name): getattr(arguments, name) for name in FILTERS}
    if arguments.what in ("streams", "scans", "agents"):
        given["show"] = shown(None if arguments.all else arguments.archived)
    rows: Iterator[Row] = getattr(client, arguments.what).select(limit=arguments.limit, **given)
    return rows


def _headings(row: Row) -> list[str]:
    if isinstance(row, Run):
        return ["STATUS", "DONE", "NAME", "SLUG", "UPDATED"]
    if isinstance(row, Alert):
        return ["PRIORITY", "TYPE", "NAME", "SENT"]
    return ["STATUS", "KIND", "NAME", "AT"] if isinstance(row, Activity) else ["TYPE", "NAME", "SENT"]


def _cells(row: Row) -> list[object]:
    if isinstance(row, Run):
        status = "unreachable" if row.is_unreachable else row.status
        done = "" if row.percentage is None else f"{int(row.percentage)} %"
        return [status, done, row.title, row.slug or row.id, _time(row.updated_at)]
    if isinstance(row, Alert):
        return [row.priority, row.signal_type, row.target_name, _time(row.created_at)]
    if isinstance(row, Activity):
        return [row.status, row.kind, row.run_name, _time(row.created_at)]
    assert isinstance(row, Notification)
    return [row.type, row.title, _time(row.created_at)]


def _show(arguments: argparse.Namespace, client: Client, out: TextIO) -> None:
    _, run = _find(arguments, client)
    if arguments.json:
        _print_json(run, out)
        return
    values = {each.name: getattr(run, each.name) for each in fields(run)}
    values["url"] = client.url + run.url
    width = max(map(width_of, values))
    for name, value in values.items():
        if value in (None, "", [], {}):
            continue
        _print(f"{name:<{width}}  {_shown(value)}", out)


def _logs(arguments: argparse.Namespace, client: Client, out: TextIO) -> None:
    runs, run = _find(arguments, client)
    levels = levels_from(arguments.level)
    last = list(runs.logs(run.id, level=levels, newest_first=True, limit=arguments.lines))[::-1]
    for line in last:
        _print_line(line, arguments, out)
    out.flush()
    if arguments.follow:
        # From the first of them on: between them may come lines of a process that writes at the same time.
        after, known = (last[0].id if last else 0), [line.id for line in last]
        for line in runs.follow_logs(run.id, level=levels, after=after, known=known):
            _print_line(line, arguments, out)
            out.flush()


def _print_line(line: LogLine, arguments: argparse.Namespace, out: TextIO) -> None:
    if arguments.json:
        _print_json(line, out)
    else:
        _print(f"{_time(line.at)}  {line.level:<8}  {printable(line.message)}", out)


def _open(arguments: argparse.Namespace, client: Client, out: TextIO) -> None:
    _, run = _find(arguments, client)
    url = client.url + run.url
    _print(url, out)
    if not arguments.no_browser:
        out.flush()
        open_page(url)


def _find(arguments: argparse.Namespace, client: Client) -> tuple[Runs[Any], Run]:
    """Return the run of a slug; of the kinds the first that has it."""
    kinds: dict[str, Runs[Any]] = {"stream": client.streams, "scan": client.scans, "agent": client.agents}
    wanted = [arguments.kind] if arguments.kind else list(kinds)
    for kind in wanted:
        try:
            return kinds[kind], kinds[kind].get(arguments.slug)
        except NotFoundError:
            continue
    slug = printable(arguments.slug)
    raise NotFoundError(f"There is no {' and no '.join(wanted)} {slug!r}; `livewatch ls` lists the slugs.", status=404)


def _shown(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone():%Y-%m-%d %H:%M:%S %z}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return printable(json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value)


def _time(at: datetime | None) -> str:
    return "" if at is None else f"{at.astimezone():%Y-%m-%d %H:%M:%S}"


def _print_json(value: Any, out: TextIO) -> None:
    is_unicode = (out.encoding or "").lower().replace("-", "") == "utf8"
    out.write(json.dumps(asdict(value), ensure_ascii=not is_unicode, default=_plain) + "\n")


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def _print(line: str, out: TextIO) -> None:
    # Replace characters that the terminal's encoding lacks.
    encoding = out.encoding or "utf-8"
    out.write(line.encode(encoding, "replace").decode(encoding) + "\n")


def _failed(error: ApiError, code: ExitCode) -> ExitCode:
    print(f"livewatch: {error}", file=sys.stderr)
    return code
