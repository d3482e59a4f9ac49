"""Asks the policies on realtime.messages what a user may do on a private topic."""

import json
from dataclasses import dataclass

import psycopg

from local_supabase.auth.keys import Claims
from local_supabase.errors import LocalSupabaseError, PostgresError
from local_supabase.postgres.pool import Pool


class AuthorizationError(LocalSupabaseError):
    """The policies could not be asked; the text is fit for the client."""


class NoDatabaseError(AuthorizationError):
    """PostgreSQL is away; asking again later helps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """What the policies allow, for one direction (read: select, write: insert)."""

    broadcast: bool
    presence: bool


class Authorization:
    """Evaluates row-level security as the token's user, in a transaction that is rolled back."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def read(self, claims: Claims, topic: str) -> Permissions:
        return await self._ask(claims, topic, for_write=False)

    async def write(self, claims: Claims, topic: str) -> Permissions:
        return await self._ask(claims, topic, for_write=True)

    async def _ask(self, claims: Claims, topic: str, *, for_write: bool) -> Permissions:
        try:
            try:
                return await self._evaluate(claims, topic, for_write=for_write)
            except psycopg.OperationalError:
                # The connection was closed while it lay idle (PostgreSQL restarted): once more, on a new one.
                return await self._evaluate(claims, topic, for_write=for_write)
        except psycopg.errors.InsufficientPrivilege:
            return Permissions(broadcast=False, presence=False)
        except (PostgresError, psycopg.OperationalError) as error:
            raise NoDatabaseError("Realtime was unable to connect to the project database") from error
        except psycopg.Error as error:
            raise AuthorizationError(f"The policies could not be checked: {_first_line(error)}") from error

    async def _evaluate(self, claims: Claims, topic: str, *, for_write: bool) -> Permissions:
        async with self._pool.connection() as connection, connection.transaction(force_rollback=True):
            cursor = await connection.execute(
                "select broadcast, presence from realtime.permissions(%s, %s, %s, %s)",
                (json.dumps(claims), str(claims["role"]), topic, for_write),
            )
            row = await cursor.fetchone()
        return Permissions(broadcast=bool(row and row[0]), presence=bool(row and row[1]))


def _first_line(error: psycopg.Error) -> str:
    return str(error).strip().partition("\n")[0]
