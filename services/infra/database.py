"""Database access: every transaction runs under the role and claims of a claimant."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, LiteralString, Self

import psycopg
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from services.errors import ConfigurationError
from services.infra.claims import Claimant
from services.infra.postgres.database_errors import database_error

CONNECT_TIMEOUT_SECONDS = 5
STATEMENT_TIMEOUT_SECONDS = 10
REACHABLE_TIMEOUT_SECONDS = 2.0

KEEPALIVE = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 2, "tcp_user_timeout": 9000}
"""Has the kernel end a half-open connection within nine seconds."""

_BECOME: LiteralString = (
    "select set_config('role', 'authenticated', true), set_config('request.jwt.claims', {claims}, true), "
    "set_config('statement_timeout', {timeout}, true)"
)
BECOME_USER = text(_BECOME.format(claims=":claims", timeout=f"'{STATEMENT_TIMEOUT_SECONDS}s'"))
_BECOME_USER_AND: LiteralString = _BECOME.format(claims="%(_claims)s", timeout="%(_timeout)s") + "; "
LIMIT_STATEMENT = text(f"set local statement_timeout = '{STATEMENT_TIMEOUT_SECONDS}s'")
# A role is unsafe if it, or a role that it can assume, bypasses row-level security.
UNSAFE_ROLES = text(
    "select rolname from pg_roles where (rolsuper or rolbypassrls) and pg_has_role(current_user, oid, 'MEMBER')"
)


class Database:
    """Connection pool whose transactions run as a claimant; `as_app` alone is the login role. Close with `aclose`.

    Args:
        url: PostgreSQL URL of a role such as `livewatch_app`: a member of `authenticated` that cannot bypass
            row-level security. `verify` rejects other roles.
        pool_size: Number of connections to keep; under load up to twice as many are opened.

    Raises:
        ConfigurationError: `url` is not a PostgreSQL URL.
    """

    def __init__(self, url: SecretStr, *, pool_size: int = 8) -> None:
        try:
            parsed = make_url(url.get_secret_value()).set(drivername="postgresql+psycopg")
        except ArgumentError as error:
            raise ConfigurationError(
                "DATABASE_URL is not a PostgreSQL URL. Its form is postgresql://livewatch_app:<password>@<host>/postgres."
            ) from error
        self._engine = create_async_engine(
            parsed,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=CONNECT_TIMEOUT_SECONDS,
            pool_pre_ping=True,
            hide_parameters=True,
            # Named prepared statements do not work through the transaction pooler of hosted projects.
            connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS, "prepare_threshold": None, **KEEPALIVE},
        )
        # The same pool; a call is a transaction of its own.
        self._autocommit = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._asking: asyncio.Task[bool] | None = None
        self._sessions = async_sessionmaker(self._engine, class_=AsyncSession, expire_on_commit=False)

    @asynccontextmanager
    async def as_user(self, identity: Claimant) -> AsyncIterator[AsyncSession]:
        """Open a transaction under the claims of `identity`; it commits on exit and rolls back on an exception.

        Raises:
            PermissionDenied: Row-level security rejected a statement.
            DatabaseUnavailable: PostgreSQL could not do this now; the message says why and what to do.
        """
        try:
            async with self._sessions() as session, session.begin():
                await (await session.connection()).execute(BECOME_USER, {"claims": json.dumps(dict(identity.claims))})
                yield session
        except (DBAPIError, PoolTimeout, OSError) as error:
            if (known := database_error(error, who=identity.name)) is None:
                raise
            raise known from error

    @asynccontextmanager
    async def as_app(self) -> AsyncIterator[AsyncSession]:
        """Open a transaction as the login role itself, which sees no rows and may call what no user may.

        Raises:
            DatabaseUnavailable: PostgreSQL could not do this now; the message says why and what to do.
        """
        try:
            async with self._sessions() as session, session.begin():
                await (await session.connection()).execute(LIMIT_STATEMENT)
                yield session
        except (DBAPIError, PoolTimeout, OSError) as error:
            if (known := database_error(error)) is None:
                raise
            raise known from error

    async def call(self, identity: Claimant, statement: LiteralString, values: Mapping[str, Any]) -> Any:
        """Run one statement in a transaction of its own under the claims of `identity`, in one round trip.

        The settings and the statement are one message of the simple query protocol, which PostgreSQL runs as one
        transaction; unlike pipelines and prepared statements, it passes the transaction pooler of hosted projects.

        Args:
            identity: Under whose claims it runs.
            statement: SQL with psycopg's named placeholders.
            values: Values of the placeholders.

        Returns:
            The first column of the statement's only row.

        Raises:
            PermissionDenied: Row-level security rejected the statement.
            DatabaseUnavailable: PostgreSQL could not do this now; the message says why and what to do.
        """
        given = {
            **values,
            "_claims": json.dumps(dict(identity.claims)),
            "_timeout": f"{STATEMENT_TIMEOUT_SECONDS}s",
        }
        try:
            async with self._autocommit.connect() as connection:
                driver = (await connection.get_raw_connection()).driver_connection
                assert isinstance(driver, psycopg.AsyncConnection)
                try:
                    cursor = psycopg.AsyncClientCursor(driver)
                    await cursor.execute(_BECOME_USER_AND + statement, given)
                    cursor.nextset()
                    row = await cursor.fetchone()
                except BaseException as error:
                    if driver.closed or not isinstance(error, psycopg.Error):
                        await connection.invalidate()
                    raise
        except psycopg.Error as error:
            wrapped = DBAPIError(None, None, error, hide_parameters=True, connection_invalidated=_is_lost(error))
            if (known := database_error(wrapped, who=identity.name)) is None:
                raise
            raise known from wrapped
        except (DBAPIError, PoolTimeout, OSError) as error:
            if (known := database_error(error, who=identity.name)) is None:
                raise
            raise known from error
        return row[0] if row else None

    async def verify(self) -> None:
        """Verify that the login role cannot bypass row-level security, neither itself nor by assuming another role.

        Raises:
            ConfigurationError: The role can bypass row-level security; names the role.
            DatabaseUnavailable: PostgreSQL did not respond.
        """
        try:
            async with self._engine.connect() as connection:
                unsafe = (await connection.execute(UNSAFE_ROLES)).scalars().all()
                role = (await connection.execute(text("select current_user"))).scalar_one()
        except (DBAPIError, PoolTimeout, OSError) as error:
            if (known := database_error(error)) is None:
                raise
            raise known from error
        if unsafe:
            raise ConfigurationError(
                f"DATABASE_URL logs in as {role!r}, which can act as {', '.join(map(repr, unsafe))} and thus bypass "
                "row-level security. Use the role livewatch_app."
            )

    async def is_reachable(self) -> bool:
        """Whether PostgreSQL has a connection for the app and answers within `REACHABLE_TIMEOUT_SECONDS`.

        Callers at the same time share one question.
        """
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._answers(), name="reachability of PostgreSQL")
        await asyncio.wait({self._asking}, timeout=REACHABLE_TIMEOUT_SECONDS)
        return self._asking.done() and self._asking.result()

    async def _answers(self) -> bool:
        try:
            async with self._engine.connect() as connection:
                await connection.execute(text("select 1"))
        except (DBAPIError, PoolTimeout, OSError):
            return False
        return True

    async def aclose(self) -> None:
        """Close all connections; idempotent."""
        if self._asking:
            self._asking.cancel()
        await self._engine.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _is_lost(error: psycopg.Error) -> bool:
    """Whether the connection failed, or PostgreSQL itself, rather than the statement."""
    return isinstance(error, psycopg.OperationalError)
