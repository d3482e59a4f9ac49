"""Where this process reports to and as whom: LIVEWATCH_URL, LIVEWATCH_KEY and LIVEWATCH_SPOOL."""

import hashlib
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

API = "/api/v1"
# Also keeps line breaks out of the header, about which the standard library complains by quoting the whole key.
KEY = re.compile(r"lw_[A-Za-z0-9._~+/=-]{8,300}")
IN_MEMORY = "off"


class SettingsError(Exception):
    """A setting is missing or of no use; the message says which, and what to do, and never quotes the key."""


class Key:
    """An ingest key, which no repr, str or format shows."""

    __slots__ = ("_secret",)

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def reveal(self) -> str:
        return self._secret

    def __repr__(self) -> str:
        return "Key('lw_…')"


@dataclass(frozen=True)
class Settings:
    """`url` is where the app is mounted, without a slash at its end; `spool` is None to keep it in memory."""

    url: str
    key: Key
    spool: Path | None

    @property
    def destination(self) -> str:
        """Tells apart, in one spool, what is for whom; says nothing of the key."""
        return hashlib.sha256(f"{self.url} {self.key.reveal()}".encode()).hexdigest()[:16]


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings | None:
    """What the environment says; None when neither the URL nor the key is set; raises SettingsError."""
    url = environment.get("LIVEWATCH_URL", "").strip()
    key = environment.get("LIVEWATCH_KEY", "").strip()
    if not url and not key:
        return None
    if not url:
        raise SettingsError("LIVEWATCH_KEY is set but LIVEWATCH_URL is not: set it to the address of Livewatch.")
    if not key:
        raise SettingsError(
            "LIVEWATCH_URL is set but LIVEWATCH_KEY is not: an admin makes keys in Livewatch's settings."
        )
    if not KEY.fullmatch(key):
        raise SettingsError("LIVEWATCH_KEY is not a key of Livewatch: they begin with lw_ and have no spaces.")
    return Settings(url=_origin(url), key=Key(key), spool=_spool(environment))


def _origin(url: str) -> str:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or parts.username or parts.password or parts.query or parts.fragment or not url.isascii():
        raise SettingsError(
            "LIVEWATCH_URL is not an address like https://livewatch.example.org (without user and query)."
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix(API)}"


def _spool(environment: Mapping[str, str]) -> Path | None:
    named = environment.get("LIVEWATCH_SPOOL", "").strip()
    if named == IN_MEMORY:
        return None
    try:
        return Path(named).expanduser() if named else _cache(environment) / "livewatch" / "spool.sqlite"
    except RuntimeError:  # This user has no home.
        return None


def _cache(environment: Mapping[str, str]) -> Path:
    if sys.platform == "win32":
        return Path(environment.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache")
