"""What a running local Supabase tells about itself, in `status.json`."""

from datetime import datetime
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, SecretStr

from local_supabase.errors import DataDirectoryError
from local_supabase.secrets_file import STATUS_NAME


class LocalSupabaseStatus(BaseModel):
    """Addresses and keys; its representation shows no secret.

    The URLs of the database are libpq URLs (`postgresql://…?host=<socket folder>`), `database_url` as the owner
    `postgres`, `app_database_url` as the role asked for with `--app-role`.
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
        """Raises DataDirectoryError when there is none or it cannot be understood."""
        path = data / STATUS_NAME
        try:
            return cls.model_validate_json(path.read_text())
        except (OSError, ValueError) as error:
            raise DataDirectoryError(f"{path} cannot be read: start the local Supabase first.") from error
