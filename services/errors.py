"""Error hierarchy of the app's services.

    LivewatchError
    ├── ConfigurationError      a setting is missing, malformed or unsafe
    ├── AuthError               authentication failed
    │   ├── WrongCredentials    e-mail and password do not match
    │   ├── AccountRefused      the Auth server refused an account's address or password
    │   │   └── PasswordRefused the Auth server refuses the new password
    │   ├── SignOnRefused       single sign-on failed; has the reason
    │   ├── SessionTooLarge     the tokens do not fit in cookies
    │   ├── SessionExpired      the session has ended or was revoked
    │   ├── LinkRefused         a link of a mail has expired, was used or is not one
    │   └── AuthUnavailable     the Auth server did not respond
    │       └── TooManyAttempts the Auth server limits requests for some minutes
    ├── PermissionDenied        row-level security rejected a statement or a subscription
    ├── MailNotSent             a mail was not sent
    ├── AddressRefused          a channel's address is malformed, private or not found
    ├── NotFound                no such row, or none that the user may see
    ├── Conflict                what should be made exists already
    ├── NotAccepted             the database does not accept a value that the user gave
    ├── TooFast                 the user writes more often than allowed; the call may be retried in seconds
    ├── DatabaseUnavailable     PostgreSQL could not do now what was asked, or did not respond
    │   ├── DatabaseTimeLimit   a statement took longer than its time limit
    │   ├── DatabaseBusy        another transaction held the rows
    │   ├── DatabaseFull        no room on its disk or in its memory
    │   ├── DatabaseReadOnly    it accepts no writes at present
    │   └── TooManyConnections  no connection is free
    ├── IngestRefused           an ingest API request was rejected, with an error code
    └── FeedError               a Realtime channel could not be opened or was lost
        └── FeedRefused         Realtime rejected the join

Each message names what failed, the offending value and the next step. Messages never contain secrets.
"""


class LivewatchError(Exception):
    """Base class of all errors that the app's services raise."""


class ConfigurationError(LivewatchError):
    """A setting is missing, malformed or unsafe; the app does not start."""


class AuthError(LivewatchError):
    """Authentication failed."""


class WrongCredentials(AuthError):
    """E-mail and password do not match; the message does not reveal which one is wrong."""


class AccountRefused(AuthError):
    """The Auth server refused an address or a password of an account; contains its reason."""


class SignOnRefused(AuthError):
    """Single sign-on failed; `reason` is `over`, `unverified` or `domain`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class SessionTooLarge(AuthError):
    """The tokens of a session do not fit in the cookies that browsers, proxies and servers take."""


class PasswordRefused(AccountRefused):
    """The Auth server refuses a new password; the message is its own."""


class LinkRefused(AuthError):
    """A link of a mail has expired, was used before, or is not one."""


class SessionExpired(AuthError):
    """The session has ended or was revoked; the user must sign in again."""


class AuthUnavailable(AuthError):
    """The Auth server did not respond; the call may be retried."""


class TooManyAttempts(AuthUnavailable):
    """The Auth server limits requests; the call may be retried after some minutes."""


class PermissionDenied(LivewatchError):
    """Row-level security rejected a statement, or a subscription to a topic."""


class MailNotSent(LivewatchError):
    """A mail was not sent; the message names the server and the reason; `is_refused` if no later try can succeed."""

    def __init__(self, message: str, *, is_refused: bool = False) -> None:
        super().__init__(message)
        self.is_refused = is_refused


class AddressRefused(LivewatchError):
    """A channel's address is malformed, private or not found; `is_final` is False if that may change by itself."""

    def __init__(self, message: str, *, is_final: bool = True) -> None:
        super().__init__(message)
        self.is_final = is_final


class NotFound(LivewatchError):
    """No such row exists, or none that the user may see."""


class Conflict(LivewatchError):
    """What should be made exists already."""


class NotAccepted(LivewatchError):
    """The database does not accept a value that the user gave; the message says what it accepts."""


class TooFast(LivewatchError):
    """The user writes more often than allowed; the call may be retried in a few seconds."""


class DatabaseUnavailable(LivewatchError):
    """PostgreSQL could not do now what was asked, or did not respond; the call may be retried."""


class DatabaseTimeLimit(DatabaseUnavailable):
    """PostgreSQL cancelled a statement that took longer than its time limit."""


class DatabaseBusy(DatabaseUnavailable):
    """Another transaction held the rows, or changed them at the same time."""


class DatabaseFull(DatabaseUnavailable):
    """PostgreSQL has no room on its disk, or in its memory."""


class DatabaseReadOnly(DatabaseUnavailable):
    """PostgreSQL accepts no writes at present."""


class TooManyConnections(DatabaseUnavailable):
    """PostgreSQL accepts no further connection, or all of the app's are in use."""


class IngestRefused(LivewatchError):
    """An ingest API request was rejected.

    Args:
        code: One of `services.ingest.Code`.
        message: Sentence for the client.
        field: Name of the invalid field, if the failure is about one.
        retry_after: Seconds after which the client may retry; None if a retry cannot succeed.
    """

    def __init__(self, code: str, message: str, *, field: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.field = field
        self.retry_after = retry_after


class FeedError(LivewatchError):
    """A Realtime channel could not be opened, or was lost."""


class FeedRefused(FeedError):
    """Realtime rejected the join; the message contains its reason."""
