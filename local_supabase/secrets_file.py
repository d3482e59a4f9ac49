"""The secrets of one data directory: database passwords, signing key and API keys, generated once."""

import contextlib
import json
import os
import secrets
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from local_supabase.errors import DataDirectoryError
from local_supabase.postgres.data_directory import keep_owner

FILE_NAME = "secrets.json"
STATUS_NAME = "status.json"
API_KEY_LIFETIME_SECONDS = 10 * 365 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Passwords, PEM-encoded signing key and API keys; the representation hides them."""

    admin_password: str
    owner_password: str
    auth_password: str
    app_password: str
    demo_password: str
    signing_key: str
    anon_key: str
    service_role_key: str

    def __repr__(self) -> str:
        return "Secrets(…)"


def load_or_create(data: Path) -> Secrets:
    """Read the secrets of a data directory, or generate them if it is new.

    Raises:
        DataDirectoryError: the file is damaged, or missing while a database exists.
    """
    path = data / FILE_NAME
    if path.exists():
        try:
            return Secrets(**json.loads(path.read_text()))
        except (ValueError, TypeError) as error:
            raise DataDirectoryError(f"{path} is damaged: restore it, or start over with --reset.") from error
    if (data / "postgres" / "PG_VERSION").exists():
        raise DataDirectoryError(
            f"{path} is missing, and the database cannot be opened without it: restore it, or start over with --reset."
        )
    created = _create()
    write_private(path, json.dumps(asdict(created), indent=2))
    return created


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically, with mode 0600; raises DataDirectoryError if that fails, and leaves the old one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        keep_owner(temporary)
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise DataDirectoryError(f"{path} cannot be written ({error.strerror}): make room on its disk.") from error


def _create() -> Secrets:
    from local_supabase.auth.keys import SigningKey, sign  # noqa: PLC0415 - slow to import, only used once

    key = SigningKey.generate()
    now = int(time.time())

    def api_key(role: str) -> str:
        return sign(key, {"iss": "supabase", "role": role, "iat": now, "exp": now + API_KEY_LIFETIME_SECONDS})

    return Secrets(
        admin_password=secrets.token_urlsafe(24),
        owner_password=secrets.token_urlsafe(24),
        auth_password=secrets.token_urlsafe(24),
        app_password=secrets.token_urlsafe(24),
        demo_password=secrets.token_urlsafe(12),
        signing_key=key.to_pem(),
        anon_key=api_key("anon"),
        service_role_key=api_key("service_role"),
    )
