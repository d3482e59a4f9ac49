"""
Exceptions of the local Supabase.

    LocalSupabaseError
    ├── DataDirectoryError      the data directory cannot be used
    │   └── AlreadyRunningError another instance holds it
    ├── PostgresError           PostgreSQL cannot be installed, started or reached
    ├── MigrationError          a migration or the seed failed; names file, line and message
    ├── PortInUseError          the API's host and port are taken
    ├── TokenError              a JWT is malformed, forged, expired or incomplete
    ├── ApiError                an HTTP error response in the hosted Auth server's format
    ├── ProviderError           an external sign-in provider does not respond, or answers wrongly
    ├── StartError              the child process did not become ready (raised in its parent)
    └── ChangesError            a `postgres_changes` subscription was rejected
"""


class LocalSupabaseError(Exception):
    """Base class; the message is one sentence with the failure and the fix."""


class DataDirectoryError(LocalSupabaseError):
    """The data directory cannot be used."""


class AlreadyRunningError(DataDirectoryError):
    """Another running instance holds the data directory."""


class PostgresError(LocalSupabaseError):
    """PostgreSQL cannot be found, initialized, started or reached."""


class MigrationError(LocalSupabaseError):
    """A migration or the seed failed; its transaction was rolled back."""


class PortInUseError(LocalSupabaseError):
    """The API's host and port are taken."""


class TokenError(LocalSupabaseError):
    """A JWT was rejected; `code` prefixes the message in a join reply, as in hosted Realtime."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ApiError(LocalSupabaseError):
    """An HTTP error response; `code` is GoTrue's `error_code`, `extra` holds additional body fields."""

    def __init__(self, status: int, code: str, message: str, **extra: object) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.extra = extra


class ProviderError(LocalSupabaseError):
    """An external sign-in provider does not respond, or its answer is not valid; a clause without a secret."""


class StartError(LocalSupabaseError):
    """The child process exited or timed out before it was ready."""


class ChangesError(LocalSupabaseError):
    """A `postgres_changes` binding was rejected; the client receives the message in a `system` event."""
