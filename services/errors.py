"""The errors of the app's services, drawn as one tree.

    LivewatchError
    ├── ConfigurationError      a setting is missing, malformed or unsafe
    ├── AuthError               who somebody is
    │   ├── WrongCredentials    e-mail and password do not match
    │   ├── SessionExpired      sign in again
    │   └── AuthUnavailable     the Auth server did not answer
    ├── PermissionDenied        the database's row-level security said no
    ├── NotFound                no such row, or none that this user may see
    ├── DatabaseUnavailable     PostgreSQL did not answer in time
    ├── IngestRefused           a program's report was not taken, with the reason as a code
    └── FeedError               a Realtime channel could not be opened or was lost
        └── FeedRefused         the server answered, and said no

Each message is a sentence that names what failed, the offending value and the next step, and never holds a secret.
"""


class LivewatchError(Exception):
    """Base of every error that the app's services raise on purpose."""


class ConfigurationError(LivewatchError):
    """A setting is missing, malformed or unsafe; the app does not start."""


class AuthError(LivewatchError):
    """Something about who a person is."""


class WrongCredentials(AuthError):
    """E-mail and password do not match; which of the two is never told."""


class SessionExpired(AuthError):
    """The session has ended or was revoked; signing in again helps."""


class AuthUnavailable(AuthError):
    """The Auth server did not answer; trying again later helps."""


class PermissionDenied(LivewatchError):
    """Row-level security refused a write, or a subscription on a topic."""


class NotFound(LivewatchError):
    """There is no such row, or none that this user may see."""


class DatabaseUnavailable(LivewatchError):
    """PostgreSQL did not answer in time."""


class IngestRefused(LivewatchError):
    """A report over the ingest API was not taken; `code` is one of `services.ingest.Code`.

    `field` names what of the report is wrong, where it is one; `retry_after` is in seconds.
    """

    def __init__(self, code: str, message: str, *, field: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.field = field
        self.retry_after = retry_after


class FeedError(LivewatchError):
    """A Realtime channel could not be opened, or was lost."""


class FeedRefused(FeedError):
    """Realtime answered the join with an error; its reason is in the message."""
