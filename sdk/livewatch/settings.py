"""Settings: LIVEWATCH_URL, LIVEWATCH_KEY and LIVEWATCH_SPOOL, and the file that `livewatch login` writes."""

import hashlib
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from livewatch.config_file import ConfigFileError, Login, config_path, read_login

VERSION = "0.1.0"
API_PATH = "/api/v1"
# Also keeps line breaks out of the header: http.client would quote the whole key in its error.
KEY_PATTERN = re.compile(r"lw_[A-Za-z0-9._~+/=-]{8,300}")
IN_MEMORY = "off"
VARIABLES = "LIVEWATCH_URL and LIVEWATCH_KEY"


class SettingsError(Exception):
    """A setting is missing or invalid; the message names it and the fix, and never quotes the key."""


class IngestKey:
    """An ingest key that repr, str and format never show."""

    __slots__ = ("_secret",)

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def reveal(self) -> str:
        """Return the secret."""
        return self._secret

    def __repr__(self) -> str:
        return "IngestKey('lw_…')"


@dataclass(frozen=True)
class Settings:
    """Validated settings.

    `url` is the app's root, without a trailing slash; `queue_file` is None to keep the queue in memory; `source` names
    the variables and the file that URL and key were read from.
    """

    url: str
    key: IngestKey
    queue_file: Path | None
    source: str = VARIABLES

    @property
    def destination(self) -> str:
        """16 hex digits that identify URL and key within a shared queue without revealing the key."""
        return hashlib.sha256(f"{self.url} {self.key.reveal()}".encode()).hexdigest()[:16]


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings | None:
    """Read the environment, then the file of `livewatch login`.

    A key is sent only to the URL that it was given with: LIVEWATCH_URL alone is completed by the stored key if the
    stored URL is the same, and LIVEWATCH_KEY alone not at all.

    Returns:
        The settings, or None if neither LIVEWATCH_URL nor LIVEWATCH_KEY is set and nobody logged in.

    Raises:
        SettingsError: Only one of the two is set, a value is invalid, or the file cannot be used.
    """
    url = environment.get("LIVEWATCH_URL", "").strip()
    key = environment.get("LIVEWATCH_KEY", "").strip()
    if key and not url:
        raise SettingsError("LIVEWATCH_URL is not set: set it to the URL of Livewatch.")
    if not key:
        return _stored_settings(environment, app_root(url) if url else None)
    if not KEY_PATTERN.fullmatch(key):
        raise SettingsError("LIVEWATCH_KEY is not a valid ingest key: keys start with lw_ and contain no spaces.")
    return Settings(url=app_root(url), key=IngestKey(key), queue_file=_queue_file(environment))


def require_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings; raise SettingsError also if there are none."""
    settings = read_settings(environment)
    if settings is None:
        raise SettingsError(
            f"{VARIABLES} are not set: run `livewatch login URL`, or set them; an admin creates a key under Settings."
        )
    return settings


def app_root(url: str, name: str = "LIVEWATCH_URL") -> str:
    """Return the app's root of a URL, without a trailing slash; raises SettingsError, calling the URL by `name`."""
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid or parts.username or parts.password or parts.query or parts.fragment or not url.isascii():
        raise SettingsError(
            f"{name} is not a valid URL: use one like https://livewatch.example.org, without user or query."
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix(API_PATH)}"


def _stored_settings(environment: Mapping[str, str], url: str | None) -> Settings | None:
    """Return the stored settings, of `url` if it is given.

    Raises:
        SettingsError: The file cannot be used, or `url` has no key.
    """
    path = config_path(environment)
    login = None
    if path is not None:
        try:
            login = read_login(path)
        except ConfigFileError as error:
            raise SettingsError(str(error)) from error
    stored = None if login is None else _stored_root(login, path)
    if login is not None and stored is not None and url in (None, stored):
        source = f"LIVEWATCH_URL and {path}" if url else str(path)
        return Settings(url=stored, key=IngestKey(login.key), queue_file=_queue_file(environment), source=source)
    if url is None:
        return None
    other = "" if stored is None else f" The stored one is of {stored}."
    raise SettingsError(
        f"LIVEWATCH_KEY is not set: run `livewatch login {url}`, or set it; an admin creates a key under Settings."
        f"{other}"
    )


def _stored_root(login: Login, path: Path | None) -> str:
    try:
        root = app_root(login.url, f"url in {path}")
    except SettingsError as error:
        raise SettingsError(f"{error} Run `livewatch login` to write it anew.") from error
    if not KEY_PATTERN.fullmatch(login.key):
        raise SettingsError(f"key in {path} is not a valid ingest key: run `livewatch login` to write it anew.")
    return root


def _queue_file(environment: Mapping[str, str]) -> Path | None:
    configured = environment.get("LIVEWATCH_SPOOL", "").strip()
    if configured == IN_MEMORY:
        return None
    try:
        return Path(configured).expanduser() if configured else _cache(environment) / "livewatch" / "spool.sqlite"
    except RuntimeError:  # The user has no home directory.
        return None


def _cache(environment: Mapping[str, str]) -> Path:
    if sys.platform == "win32":
        return Path(environment.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache")
