"""Authorization of private channels by the row-level security policies on `realtime.messages`."""

import json
from dataclasses import dataclass

import psycopg

from local_supabase.auth.keys import Claims
from local_supabase.errors import LocalSupabaseError, PostgresError
from local_supabase.postgres.pool import Pool


class AuthorizationError(LocalSupabaseError):
    """The policies could not be evaluated; the message may be sent to the client."""


class DatabaseUnavailableError(AuthorizationError):
    """PostgreSQL is not reachable; a later attempt may succeed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """Allowed kinds of messages, for one direction (read: `select`, write: `insert`)."""

    broadcast: bool
    presence: bool


ALL_ALLOWED = Permissions(broadcast=True, presence=True)
NONE_ALLOWED = Permissions(broadcast=False, presence=False)


class Authorization:
    """Evaluates the policies with a token's role and claims, in a transaction that is rolled back."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def read(self, claims: Claims, topic: str) -> Permissions:
        """Return what a user may receive on a topic; raises AuthorizationError."""
        return await self._evaluate(claims, topic, for_write=False)

    async def write(self, claims: Claims, topic: str) -> Permissions:
        """Return what a user may send on a topic; raises AuthorizationError."""
        return await self._evaluate(claims, topic, for_write=True)

    async def _evaluate(self, claims: Claims, topic: str, *, for_write: bool) -> Permissions:
        try:
            try:
                return await self._query(claims, topic, for_write=for_write)
            except psycopg.OperationalError:
                # An idle connection may have been closed by a restart of PostgreSQL: retry on a new one.
                return await self._query(claims, topic, for_write=for_write)
        except psycopg.errors.InsufficientPrivilege:
            return NONE_ALLOWED
        except (PostgresError, psycopg.OperationalError) as error:
            raise DatabaseUnavailableError("Realtime was unable to connect to the project database") from error
        except psycopg.Error as error:
            reason = str(error).strip().partition("\n")[0]
            raise AuthorizationError(f"The policies could not be checked: {reason}") from error

    async def _query(self, claims: Claims, topic: str, *, for_write: bool) -> Permissions:
        async with self._pool.connection() as connection, connection.transaction(force_rollback=True):
            cursor = await connection.execute(
                "select broadcast, presence from realtime.permissions(%s, %s, %s, %s)",
                (json.dumps(claims), str(claims["role"]), topic, for_write),
            )
            row = await cursor.fetchone()
        return Permissions(broadcast=bool(row and row[0]), presence=bool(row and row[1]))
