"""`livewatch whoami` and `logout`: the login in use, and its end."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from livewatch.cli.exit_codes import ExitCode
from livewatch.cli.key_check import identify
from livewatch.config_file import ConfigFileError, Login, config_path, read_login
from livewatch.delivery.client import Response
from livewatch.settings import VARIABLES, SettingsError, read_settings


def whoami() -> int:
    """Print organisation, key, URL and source of the settings; return the exit code."""
    try:
        settings = read_settings()
    except SettingsError as error:
        print(f"livewatch: {error}", file=sys.stderr)
        return ExitCode.MISCONFIGURED
    if settings is None:
        print(f"livewatch: not logged in: run `livewatch login URL`, or set {VARIABLES}.", file=sys.stderr)
        return ExitCode.REJECTED
    answer = identify(settings, hint=f" The settings are from {settings.source}.")
    if isinstance(answer, ExitCode):
        return answer
    organization, response = answer
    print(
        f"Organisation: {organization}\nKey: {_key_name(response)}\nURL: {settings.url}\nSettings: {settings.source}",
    )
    return ExitCode.DONE


def logout() -> int:
    """Remove the stored login; return the exit code. Idempotent."""
    path = config_path()
    login: Login | None = None
    with suppress(ConfigFileError):  # Removed all the same.
        login = read_login(path) if path is not None else None
    try:
        if path is None:
            raise FileNotFoundError
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        print(f"livewatch: not logged in{f': there is no {path}' if path else ''}.", file=sys.stderr)
    except OSError as error:
        print(f"livewatch: {path} cannot be removed: {error.strerror}.", file=sys.stderr)
        return ExitCode.MISCONFIGURED
    else:
        print(f"Logged out{f' of {login.url}' if login else ''}. {_leftover(login)}")
    if os.environ.get("LIVEWATCH_URL") or os.environ.get("LIVEWATCH_KEY"):
        print(f"livewatch: {VARIABLES} stay set and in use.", file=sys.stderr)
    return ExitCode.DONE


def _leftover(login: Login | None) -> str:
    # Without the secret, which is the third part.
    parts = login.key.split("_", 2) if login else []
    key = f"key {parts[1]}" if len(parts) == 3 else "key itself"
    return f"The {key} stays valid until an admin revokes it under Settings."


def _key_name(response: Response) -> str:
    key = response.body.get("key")
    return str(key.get("name")) if isinstance(key, dict) else "unnamed"
