"""Refusals that the database's own functions and triggers raise, as errors of the app."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType

from psycopg import Error as PostgresError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.errors import Conflict, LivewatchError, NotAccepted, NotFound, PermissionDenied, TooFast
from services.infra.claims import Claimant
from services.infra.database import Database

BY_STATE: Mapping[str, type[LivewatchError]] = MappingProxyType(
    {"LW403": PermissionDenied, "LW404": NotFound, "LW409": Conflict, "LW422": NotAccepted, "LW429": TooFast}
)
"""Errors by SQLSTATE; their messages are sentences for the user."""


@asynccontextmanager
async def refusable(database: Database, claimant: Claimant) -> AsyncIterator[AsyncConnection]:
    """Yield a connection in a transaction of the user; raises the error of a refusal with its message."""
    try:
        async with database.as_user(claimant) as session:
            yield await session.connection()
    except DBAPIError as error:
        if isinstance(error.orig, PostgresError) and (refusal := BY_STATE.get(error.orig.sqlstate or "")):
            raise refusal(str(error.orig.diag.message_primary)) from error
        raise
