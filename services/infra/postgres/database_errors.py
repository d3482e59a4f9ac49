"""Faults of PostgreSQL, told apart by what a person can do about them."""

from psycopg import Error as PostgresError
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from services.errors import (
    DatabaseBusy,
    DatabaseFull,
    DatabaseReadOnly,
    DatabaseTimeLimit,
    DatabaseUnavailable,
    LivewatchError,
    PermissionDenied,
    TooManyConnections,
)

UNREACHABLE = "PostgreSQL does not respond. The app retries automatically."
NO_ROOM = (
    "PostgreSQL accepts no further connection (max_connections). The app retries automatically; close other clients, "
    "or raise the limit."
)
STATEMENTS: dict[str, tuple[type[DatabaseUnavailable], str]] = {
    "57014": (
        DatabaseTimeLimit,
        "PostgreSQL answers, but this took longer than the time limit of a statement and was cancelled. Try again, or "
        "with fewer rows.",
    ),
    "55P03": (
        DatabaseBusy,
        "PostgreSQL answers, but another transaction holds the rows or the table. Try again in a moment.",
    ),
    "40P01": (DatabaseBusy, "Another transaction changed the same rows at the same time. Try again."),
    "40001": (DatabaseBusy, "Another transaction changed the same rows at the same time. Try again."),
    "25P03": (DatabaseTimeLimit, "PostgreSQL ended a transaction that was idle for too long. Try again."),
    "53100": (DatabaseFull, "The disk of PostgreSQL is full. Nothing can be written until there is room on it."),
    "53200": (DatabaseFull, "PostgreSQL is out of memory. Try again in a moment, or with fewer rows."),
    "53300": (TooManyConnections, NO_ROOM),
    "25006": (
        DatabaseReadOnly,
        "PostgreSQL is read-only at present, for instance as a standby or with a used-up plan. Reading works; nothing "
        "was changed.",
    ),
    "57P01": (DatabaseUnavailable, "PostgreSQL is shutting down. The app retries automatically."),
    "57P02": (DatabaseUnavailable, "PostgreSQL is restarting after a crash. The app retries automatically."),
    "57P03": (DatabaseUnavailable, "PostgreSQL is starting or stopping. The app retries automatically."),
}
"""Errors and sentences by SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html."""
INSUFFICIENT_PRIVILEGE = "42501"
CONNECTION_TEXTS = {
    "too many clients": "53300",
    "connection slots are reserved": "53300",
    "too many connections": "53300",
    "is starting up": "57P03",
    "is shutting down": "57P03",
    "not yet accepting connections": "57P03",
    "in recovery mode": "57P03",
}
"""SQLSTATE by a part of the message: libpq tells none for a connection that the server refuses."""


def database_error(error: DBAPIError | PoolTimeout | OSError, *, who: str = "the app") -> LivewatchError | None:
    """Return the service error for what a driver raised; None for a fault of the statement or its values.

    Args:
        error: Raised by SQLAlchemy or by the socket.
        who: Name of the user under whom the statement ran.
    """
    if isinstance(error, PoolTimeout):
        return TooManyConnections("All database connections of the app are in use. Try again in a moment.")
    if isinstance(error, OSError):
        return DatabaseUnavailable(UNREACHABLE)
    state = _state(error)
    if state == INSUFFICIENT_PRIVILEGE:
        return PermissionDenied(
            f"The database does not let {who} do this. An admin of the organisation can change the role."
        )
    if state in STATEMENTS:
        kind, sentence = STATEMENTS[state]
        return kind(sentence)
    return _other_error(error, state) if error.connection_invalidated or _is_operational(error) else None


def _other_error(error: DBAPIError, state: str | None) -> DatabaseUnavailable:
    if refusal := _refusal(error):
        return DatabaseUnavailable(f"PostgreSQL refuses the connection: {refusal}.")
    if state is None:
        return DatabaseUnavailable(UNREACHABLE)
    return DatabaseUnavailable(f"PostgreSQL could not do this (SQLSTATE {state}). Try again in a moment.")


def _state(error: DBAPIError) -> str | None:
    if isinstance(error.orig, PostgresError) and error.orig.sqlstate:
        return error.orig.sqlstate
    text = str(error.orig)
    return next((state for part, state in CONNECTION_TEXTS.items() if part in text), None)


def _refusal(error: DBAPIError) -> str | None:
    """The server's reason for refusing a connection; without host and user, which come before it."""
    _, found, reason = str(error.orig).rpartition("FATAL:")
    return reason.strip().splitlines()[0].rstrip(".") if found and reason.strip() else None


def _is_operational(error: DBAPIError) -> bool:
    return isinstance(error, OperationalError)
