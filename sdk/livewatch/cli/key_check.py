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
    answer = identify(settings)
    if isinstance(answer, ExitCode):
        return answer
    organization, response = answer
    scopes = ", ".join(map(str, response.body.get("scopes", ())))
    print(f"{settings.url} accepts this key. Organisation: {organization}. Scopes: {scopes}.")
    _print_pending(settings)
    return ExitCode.DONE


def identify(settings: Settings, *, hint: str = "") -> tuple[str, Response] | ExitCode:
    """Return the key's organisation and the server's answer, or the exit code of a problem, which is printed.

    Args:
        settings: The URL and the key.
        hint: Text to add to the reason why a key is not accepted.
    """
    try:
        response = ask(settings)
    except UnreachableError as error:
        print(f"livewatch: {error}.", file=sys.stderr)
        return ExitCode.UNREACHABLE
    organization = organization_of(response)
    if organization is None:
        exit_code, problem = problem_with(settings.url, response)
        print(f"livewatch: {problem}{hint}", file=sys.stderr)
        return exit_code
    return organization, response


def ask(settings: Settings) -> Response:
    """Ask the server whose key it is; raises UnreachableError."""
    client = Client(settings)
    try:
        return client.request("GET", "/me")
    finally:
        client.close()


def organization_of(response: Response | None) -> str | None:
    """Return the organisation of an accepted key; None if the key is not accepted."""
    body = response.body if response is not None and response.status == 200 else None
    organization = body.get("organization") if isinstance(body, dict) else None
    return str(organization.get("name")) if isinstance(organization, dict) else None


def is_unknown_key(response: Response) -> bool:
    """Whether Livewatch itself answered that it does not know the key, and not a proxy that asks for a password."""
    error = response.body.get("error") if isinstance(response.body, dict) else None
    return response.status == 401 and isinstance(error, dict) and error.get("code") == "bad_key"


def problem_with(url: str, response: Response) -> tuple[ExitCode, str]:
    """Return exit code and sentence for a key that is not accepted."""
    if response.status == 429 or response.status >= 500:
        return ExitCode.UNREACHABLE, f"{response.error}; try again in a moment."
    if response.location:
        return ExitCode.REJECTED, f"{url} redirects to {response.location}: use that URL."
    if response.status in (401, 403):
        return ExitCode.REJECTED, response.error
    return ExitCode.REJECTED, f"{url} is not a Livewatch API, or an older version: {response.error}."


def _print_pending(settings: Settings) -> None:
    queue = DiskQueue(settings.queue_file, settings.destination)
    if pending := queue.pending_count():
        print(f"{pending} updates are queued in {queue.file}; the next report sends them.")
    queue.close()
