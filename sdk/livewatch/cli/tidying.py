"""`livewatch close`, `archive`, `unarchive` and `delete`: change runs at once and print the server's answer for each.

These are not queued: a deletion that came hours later could meet another run of the same slug.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from livewatch.cli.exit_codes import ExitCode
from livewatch.delivery.batches import MAX_BATCH_OPERATIONS, batch_error, results_of
from livewatch.delivery.client import Client, Response, UnreachableError
from livewatch.delivery.errors import MisconfiguredError
from livewatch.delivery.operations import Operation, encode, encode_batch, new_idempotency_key
from livewatch.settings import SettingsError, require_settings

PAST_TENSES = {"close": "Closed", "archive": "Archived", "unarchive": "Brought back", "delete": "Deleted"}


def tidy_up(arguments: argparse.Namespace) -> int:
    """Close, archive, bring back or delete the runs of the arguments; return the exit code."""
    slugs = list(dict.fromkeys(arguments.slugs))
    try:
        settings = require_settings()
    except SettingsError as error:
        return _failed(str(error), ExitCode.MISCONFIGURED)
    if arguments.command == "delete" and not arguments.yes:
        if sys.stdin is None or not sys.stdin.isatty():
            return _failed("delete: pass --yes to delete without being asked on a terminal.", ExitCode.MISCONFIGURED)
        if not _is_confirmed(arguments.kind, slugs):
            return _failed("nothing was deleted.", ExitCode.REJECTED)
    client = Client(settings)
    try:
        codes = [
            _apply(client, arguments, slugs[start : start + MAX_BATCH_OPERATIONS])
            for start in range(0, len(slugs), MAX_BATCH_OPERATIONS)
        ]
    except UnreachableError as error:
        return _failed(f"{error}. This command is not queued: run it again.", ExitCode.UNREACHABLE)
    finally:
        client.close()
    return next((code for code in (ExitCode.REJECTED, ExitCode.UNREACHABLE) if code in codes), ExitCode.DONE)


def _apply(client: Client, arguments: argparse.Namespace, slugs: Sequence[str]) -> ExitCode:
    """Change the runs in one request; return the worst exit code."""
    operations = [_operation(arguments, slug) for slug in slugs]
    response = client.request("POST", "/batch", encode_batch(operations, [0.0] * len(operations)))
    results = results_of(response, len(operations))
    if results is None:
        error = batch_error(client.url, response)
        is_final = isinstance(error, MisconfiguredError)
        hint = "" if is_final else " Try again in a moment."
        return _failed(f"{error.reason}.{hint}", ExitCode.REJECTED if is_final else ExitCode.UNREACHABLE)
    codes = [_report(arguments, slug, result) for slug, result in zip(slugs, results, strict=True)]
    return next((code for code in (ExitCode.REJECTED, ExitCode.UNREACHABLE) if code in codes), ExitCode.DONE)


def _operation(arguments: argparse.Namespace, slug: str) -> Operation:
    is_delete = arguments.command == "delete"
    run = f"/{arguments.kind}s/{slug}"
    body: dict[str, Any] = {"error": arguments.error} if arguments.command == "close" and arguments.error else {}
    return Operation(
        method="DELETE" if is_delete else "POST",
        path=run if is_delete else f"{run}/{arguments.command}",
        body=encode(body),
        idempotency_key=new_idempotency_key(),
    )


def _report(arguments: argparse.Namespace, slug: str, result: Response) -> ExitCode:
    if result.status < 300:
        print(f"{PAST_TENSES[arguments.command]} the {arguments.kind} {slug}.")
        return ExitCode.DONE
    is_passing = result.status == 429 or result.status >= 500
    return _failed(result.error, ExitCode.UNREACHABLE if is_passing else ExitCode.REJECTED)


def _is_confirmed(kind: str, slugs: Sequence[str]) -> bool:
    amount = f"the {kind} {slugs[0]}" if len(slugs) == 1 else f"{len(slugs)} {kind}s ({', '.join(slugs)})"
    question = f"Delete {amount} and all that belongs to {'it' if len(slugs) == 1 else 'them'}? This cannot be undone."
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _failed(message: str, code: ExitCode) -> ExitCode:
    print(f"livewatch: {message}", file=sys.stderr)
    return code
