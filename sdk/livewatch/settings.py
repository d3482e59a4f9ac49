"""Environment settings: LIVEWATCH_URL, LIVEWATCH_KEY and LIVEWATCH_SPOOL."""

import hashlib
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

VERSION = "0.1.0"
API_PATH = "/api/v1"
# Also keeps line breaks out of the header: http.client would quote the whole key in its error.
KEY_PATTERN = re.compile(r"lw_[A-Za-z0-9._~+/=-]{8,300}")
IN_MEMORY = "off"


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

    `url` is the app's root, without a trailing slash; `queue_file` is None to keep the queue in memory.
    """

    url: str
    key: IngestKey
    queue_file: Path | None

    @property
    def destination(self) -> str:
        """16 hex digits that identify URL and key within a shared queue without revealing the key."""
        return hashlib.sha256(f"{self.url} {self.key.reveal()}".encode()).hexdigest()[:16]


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings | None:
    """Read the environment.

    Returns:
        The settings, or None if neither LIVEWATCH_URL nor LIVEWATCH_KEY is set.

    Raises:
        SettingsError: Only one of the two is set, or a value is invalid.
    """
    url = environment.get("LIVEWATCH_URL", "").strip()
    key = environment.get("LIVEWATCH_KEY", "").strip()
    if not url and not key:
        return None
    if not url:
        raise SettingsError("LIVEWATCH_URL is not set: set it to the URL of Livewatch.")
    if not key:
        raise SettingsError("LIVEWATCH_KEY is not set: an admin creates a key under Settings.")
    if not KEY_PATTERN.fullmatch(key):
        raise SettingsError("LIVEWATCH_KEY is not a valid ingest key: keys start with lw_ and contain no spaces.")
    return Settings(url=_app_root(url), key=IngestKey(key), queue_file=_queue_file(environment))


def require_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the environment; raise SettingsError also if nothing is set."""
    settings = read_settings(environment)
    if settings is None:
        raise SettingsError("LIVEWATCH_URL and LIVEWATCH_KEY are not set: an admin creates a key under Settings.")
    return settings


def _app_root(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid or parts.username or parts.password or parts.query or parts.fragment or not url.isascii():
        raise SettingsError(
            "LIVEWATCH_URL is not a valid URL: use one like https://livewatch.example.org, without user or query."
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix(API_PATH)}"


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
