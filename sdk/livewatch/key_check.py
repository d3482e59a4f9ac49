"""The check of address and key."""

from __future__ import annotations

import sys

from livewatch.client import Answer, Client, Unreachable
from livewatch.settings import Settings, SettingsError, read_settings
from livewatch.shell_reports import DONE, MISCONFIGURED, REFUSED, UNREACHABLE, UNSET
from livewatch.spool import Spool


def check() -> int:
    """Ask the server who we are, and say it, or what to do; returns the exit code."""
    try:
        settings = read_settings()
        if settings is None:
            raise SettingsError(UNSET)
    except SettingsError as error:
        print(f"livewatch: {error}", file=sys.stderr)
        return MISCONFIGURED
    client = Client(settings)
    try:
        answer = client.request("GET", "/me")
    except Unreachable as error:
        print(f"livewatch: {error}.", file=sys.stderr)
        return UNREACHABLE
    finally:
        client.close()
    return _tell(settings, answer)


def _tell(settings: Settings, answer: Answer) -> int:
    body = answer.body if isinstance(answer.body, dict) else {}
    if answer.status == 200 and isinstance(body.get("organization"), dict):
        scopes = ", ".join(map(str, body.get("scopes", ())))
        print(f"{settings.url} takes this key: it reports {scopes} to {body['organization'].get('name')}.")
        spool = Spool(settings.spool, settings.destination)
        if waiting := spool.waiting():
            print(f"{waiting} updates wait in {spool.file} and are sent with the next report.")
        spool.close()
        return DONE
    if answer.status == 429 or answer.status >= 500:
        print(f"livewatch: {answer.error}; try again in a moment.", file=sys.stderr)
        return UNREACHABLE
    if answer.status in (401, 403):
        print(f"livewatch: {answer.error}", file=sys.stderr)
    elif answer.location:
        print(f"livewatch: {settings.url} leads to {answer.location}: set LIVEWATCH_URL to that.", file=sys.stderr)
    else:
        print(f"livewatch: {settings.url} is no Livewatch, or an older one: {answer.error}.", file=sys.stderr)
    return REFUSED
