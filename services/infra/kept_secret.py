"""Secrets that the first start makes, in files of the data directory that only their owner reads."""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pydantic import SecretStr

from services.errors import ConfigurationError

TOKEN_BYTES = 48


def kept_secret(path: Path, make: Callable[[], str] = lambda: secrets.token_urlsafe(TOKEN_BYTES)) -> SecretStr:
    """Return the secret of a file of mode 0600, which the first start makes.

    The file is written whole or not at all: a process that is killed here, or another one that starts, finds no half.

    Args:
        path: The file.
        make: Returns a new secret; random characters by default.

    Raises:
        ConfigurationError: The file cannot be read or written.
    """
    try:
        with suppress(FileNotFoundError):
            if secret := path.read_text().strip():
                return SecretStr(secret)
            path.unlink()
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.touch(mode=0o600)
        try:
            draft.write_text(made := make())
            os.link(draft, path)
        except FileExistsError:
            return SecretStr(path.read_text().strip())
        finally:
            draft.unlink()
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read or written: {error.strerror}. Set LIVEWATCH_DATA to a writable directory."
        ) from error
    return SecretStr(made)
