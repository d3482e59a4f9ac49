"""The secrets of one local Supabase: database passwords, signing key and API keys, made once and kept in one file."""

import json
import os
import secrets
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from local_supabase.errors import DataDirectoryError

FILE_NAME = "secrets.json"
STATUS_NAME = "status.json"
API_KEY_LIFETIME = 10 * 365 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """All secrets of a data directory; never printed."""

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


def load_or_create(data: Path, *, now: float | None = None) -> Secrets:
    """Read the secrets of `data`, or make them when there are none.

    Raises DataDirectoryError when they are gone while a database that needs them is there.
    """
    path = data / FILE_NAME
    if path.exists():
        try:
            return Secrets(**json.loads(path.read_text()))
        except (ValueError, TypeError) as error:
            raise DataDirectoryError(f"{path} is damaged: restore it, or start again with --reset.") from error
    if (data / "postgres" / "PG_VERSION").exists():
        raise DataDirectoryError(
            f"{path} is missing, and the database beside it cannot be opened without: restore it, or use --reset."
        )
    created = _create(now if now is not None else time.time())
    write_private(path, json.dumps(asdict(created), indent=2))
    return created


def write_private(path: Path, text: str) -> None:
    """Write atomically, readable by the owner only."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _create(now: float) -> Secrets:
    from local_supabase.auth.keys import SigningKey, sign  # noqa: PLC0415 - slow to import, used once

    key = SigningKey.generate()

    def api_key(role: str) -> str:
        return sign(key, {"iss": "supabase", "role": role, "iat": int(now), "exp": int(now) + API_KEY_LIFETIME})

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
