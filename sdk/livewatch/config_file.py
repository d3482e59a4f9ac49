"""The file in which `livewatch login` stores URL and key, in the subset of TOML that it writes itself."""

from __future__ import annotations

import functools
import json
import logging
import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

CONFIG_VARIABLE = "LIVEWATCH_CONFIG"
DISABLED = "off"
FIELDS = ("url", "key", "organization")
MAX_BYTES = 2**16
LINE = re.compile(r'\s*(?:([A-Za-z0-9_-]+)\s*=\s*("(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\.)*")\s*)?(?:#.*)?')

logger = logging.getLogger("livewatch")


class ConfigFileError(Exception):
    """The file cannot be read or written; the message names it and the fix, and never quotes its content."""


@dataclass(frozen=True)
class Login:
    """What a login stores; `url` and `key` are not validated yet."""

    url: str
    key: str = field(repr=False)
    organization: str = ""


def config_path(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the path of the file, which need not exist; None if LIVEWATCH_CONFIG is off or there is no home."""
    configured = environment.get(CONFIG_VARIABLE, "").strip()
    if configured == DISABLED:
        return None
    with suppress(RuntimeError):  # The user has no home directory.
        return Path(configured).expanduser() if configured else _folder(environment) / "livewatch" / "config.toml"
    return None


def read_login(path: Path) -> Login | None:
    """Read the file; None if there is none.

    Other users should not be able to read it: if they are, one warning is logged.

    Raises:
        ConfigFileError: The file cannot be read, or is not one that `livewatch login` wrote.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
            content = file.read(MAX_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or "invalid path"
        raise ConfigFileError(f"{path} cannot be read: {cause}. Run `livewatch login` as this user.") from None
    if os.name == "posix" and mode & 0o077:
        _warn_of_mode(str(path), mode)
    try:
        values = parse(content.decode("utf-8-sig"))
    except ValueError:
        # Left out of the message: it may quote the key.
        values = {}
    url, key, organization = (values.get(name, "") for name in FIELDS)
    if isinstance(url, str) and isinstance(key, str) and isinstance(organization, str) and url and key:
        return Login(url, key, organization)
    raise ConfigFileError(f"{path} is not a valid configuration: run `livewatch login` to write it anew.")


def write_login(path: Path, login: Login) -> None:
    """Write the file atomically, readable by its owner only; create its folder with mode 0700 if it is missing.

    Raises:
        ConfigFileError: The file cannot be written.
    """
    # Imported late: programs that only report never write it.
    import tempfile  # noqa: PLC0415

    values = zip(FIELDS, (login.url, login.key, _printable(login.organization)), strict=True)
    content = "".join(f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in values)
    temporary: str | None = None
    try:
        # A link stays one.
        path = Path(os.path.realpath(path))
        path.parent.parent.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".config-")  # Created with mode 0600.
        with open(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise ConfigFileError(
            f"{path} cannot be written: {error.strerror}. Set {CONFIG_VARIABLE} to a file that can."
        ) from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                os.unlink(temporary)


def parse(text: str) -> dict[str, object]:
    """Parse the file; raises ValueError if it is invalid."""
    try:
        # Imported late: most programs have no such file. Python 3.10 lacks it.
        import tomllib  # noqa: PLC0415
    except ModuleNotFoundError:
        return dict(parse_strings(text))
    return tomllib.loads(text)


def parse_strings(text: str) -> dict[str, str]:
    """Parse lines of `name = "text"`, comments and blank lines; raises ValueError for anything else of TOML."""
    values: dict[str, str] = {}
    for line in text.replace("\r\n", "\n").split("\n"):
        found = LINE.fullmatch(line)
        if found is None or found[1] in values:
            raise ValueError("not a line of this file, or a repeated name")
        if found[1] is not None:
            values[found[1]] = json.loads(found[2])
    return values


def _printable(text: str) -> str:
    """Replace what TOML and UTF-8 cannot hold, and what reorders a terminal's text."""
    return "".join(each if each.isprintable() else " " for each in text).strip()


def _folder(environment: Mapping[str, str]) -> Path:
    if sys.platform == "win32":
        return Path(environment.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    return Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config")


@functools.cache
def _warn_of_mode(path: str, mode: int) -> None:
    logger.warning(
        "Livewatch: other users can read the ingest key in %s (mode %04o): run `chmod 600 %s`.", path, mode, path
    )
