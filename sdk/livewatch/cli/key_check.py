"""`livewatch check`: verifies the server URL and the ingest key."""

from __future__ import annotations

import sys

from livewatch.cli.exit_codes import ExitCode
from livewatch.delivery.client import Client, Response, UnreachableError
from livewatch.delivery.disk_queue import DiskQueue
from livewatch.settings import Settings, SettingsError, require_settings


def check() -> int:
    """Ask the server whose key it is and print that, or the fix; return the exit code."""
    try:
        settings = require_settings()
    except SettingsError as error:
        print(f"livewatch: {error}", file=sys.stderr)
        return ExitCode.MISCONFIGURED
    client = Client(settings)
    try:
        response = client.request("GET", "/me")
    except UnreachableError as error:
        print(f"livewatch: {error}.", file=sys.stderr)
        return ExitCode.UNREACHABLE
    finally:
        client.close()
    return _print_result(settings, response)


def _print_result(settings: Settings, response: Response) -> int:
    body = response.body if isinstance(response.body, dict) else {}
    if response.status == 200 and isinstance(body.get("organization"), dict):
        scopes = ", ".join(map(str, body.get("scopes", ())))
        print(f"{settings.url} accepts this key. Organisation: {body['organization'].get('name')}. Scopes: {scopes}.")
        _print_pending(settings)
        return ExitCode.DONE
    if response.status == 429 or response.status >= 500:
        print(f"livewatch: {response.error}; try again in a moment.", file=sys.stderr)
        return ExitCode.UNREACHABLE
    if response.status in (401, 403):
        print(f"livewatch: {response.error}", file=sys.stderr)
    elif response.location:
        print(
            f"livewatch: {settings.url} redirects to {response.location}: set LIVEWATCH_URL to that.", file=sys.stderr
        )
    else:
        print(
            f"livewatch: {settings.url} is not a Livewatch API, or an older version: {response.error}.", file=sys.stderr
        )
    return ExitCode.REJECTED


def _print_pending(settings: Settings) -> None:
    queue = DiskQueue(settings.queue_file, settings.destination)
    if pending := queue.pending_count():
        print(f"{pending} updates are queued in {queue.file}; the next report sends them.")
    queue.close()
