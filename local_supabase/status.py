"""Addresses and keys of a running local Supabase, as written to `status.json`."""

from datetime import datetime
from pathlib import Path
from typing import Self

import psutil
from pydantic import BaseModel, ConfigDict, SecretStr

from local_supabase.errors import DataDirectoryError
from local_supabase.secrets_file import STATUS_NAME


class LocalSupabaseStatus(BaseModel):
    """Addresses and keys; the representation hides secrets.

    Database URLs are libpq URLs (`postgresql://…?host=<socket folder>`): `database_url` for the owner `postgres`,
    `app_database_url` for the role given with `--app-role`.
    """

    model_config = ConfigDict(frozen=True)

    api_url: str
    jwks_url: str
    anon_key: SecretStr
    service_role_key: SecretStr
    database_url: SecretStr
    app_database_url: SecretStr | None = None
    demo_email: str | None = None
    demo_password: SecretStr | None = None
    pid: int
    started_at: datetime

    @classmethod
    def read(cls, data: Path) -> Self:
        """Read `status.json` of a data directory.

        Raises:
            DataDirectoryError: the file is missing or invalid, or was left by an instance that was killed.
        """
        path = data / STATUS_NAME
        try:
            status = cls.model_validate_json(path.read_text())
        except (OSError, ValueError) as error:
            raise DataDirectoryError(f"{path} cannot be read: start the local Supabase first.") from error
        if not psutil.pid_exists(status.pid):
            raise DataDirectoryError(
                f"{path} is out of date, its process (pid {status.pid}) has ended: start the local Supabase first."
            )
        return status
