"""
Every error that the local Supabase raises on purpose.

    LocalSupabaseError
    ├── DataDirectoryError      the data directory cannot be used
    │   └── AlreadyRunningError another instance uses it
    ├── PostgresError           PostgreSQL cannot be installed, started or reached
    ├── MigrationError          a migration or the seed failed; names file, line and message
    ├── PortInUseError          the address of the API is taken
    ├── TokenError              a JWT is malformed, forged, expired or incomplete
    ├── ApiError                an HTTP answer in the form of the hosted Auth server
    ├── StartError              the child process did not become ready (raised to its parent)
    └── ChangesError            a subscription to table changes that cannot be served
"""


class LocalSupabaseError(Exception):
    """Base of all; its text is one sentence with what failed and the way out."""


class DataDirectoryError(LocalSupabaseError):
    """The data directory cannot be used."""


class AlreadyRunningError(DataDirectoryError):
    """Another running instance holds the data directory."""


class PostgresError(LocalSupabaseError):
    """PostgreSQL cannot be found, initialised, started or reached."""


class MigrationError(LocalSupabaseError):
    """A migration or the seed failed; nothing of it was applied."""


class PortInUseError(LocalSupabaseError):
    """The host and port of the API are taken."""


class TokenError(LocalSupabaseError):
    """A JWT that cannot be accepted; `code` is the prefix that Realtime puts before the message in a join reply."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ApiError(LocalSupabaseError):
    """An error answer of the HTTP API; `code` is GoTrue's `error_code`, `extra` further fields of the body."""

    def __init__(self, status: int, code: str, message: str, **extra: object) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.extra = extra


class StartError(LocalSupabaseError):
    """The child process ended or went silent before it was ready."""


class ChangesError(LocalSupabaseError):
    """A binding to `postgres_changes` that cannot be served; the text goes to the client in a system message."""
