"""PostgreSQL connections: `connect`, and a small pool that opens on demand and discards broken connections."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection, pq

from local_supabase.errors import PostgresError

Connection = AsyncConnection[tuple[Any, ...]]
ACQUIRE_TIMEOUT_SECONDS = 30.0
CONNECT_TIMEOUT_SECONDS = 10
# A terminating server first sends its reason, then closes: two reads, and one to spare.
READS_UNTIL_CLOSED = 3


class Pool:
    """At most `size` autocommit connections of one role; close it with `aclose`."""

    def __init__(self, url: str, *, size: int, name: str, statement_timeout: float = 0) -> None:
        """Create a pool without connections.

        Args:
            url: libpq URL.
            size: maximum number of connections.
            name: `application_name` of the connections.
            statement_timeout: in seconds, 0 for none.
        """
        self.url = url
        self._statement_timeout = statement_timeout
        self._name = name
        self._idle: list[Connection] = []
        self._permits = asyncio.Semaphore(size)
        self._closed = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection; on return an open transaction is rolled back, and a broken connection discarded.

        Raises:
            PostgresError: all connections stayed in use for 30 s, or the server is not reachable.
        """
        try:
            async with asyncio.timeout(ACQUIRE_TIMEOUT_SECONDS):
                await self._permits.acquire()
        except TimeoutError as error:
            raise PostgresError(
                f"All connections of pool '{self._name}' stayed in use for {ACQUIRE_TIMEOUT_SECONDS:.0f} s."
            ) from error
        connection: Connection | None = None
        try:
            connection = await self._acquire()
            yield connection
        finally:
            if connection is not None:
                await self._release(connection)
            self._permits.release()

    async def aclose(self) -> None:
        """Close idle connections now, lent ones on their return."""
        self._closed = True
        while self._idle:
            await self._idle.pop().close()

    async def _acquire(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if _is_alive(connection):
                return connection
            await connection.close()
        return await connect(self.url, name=self._name, statement_timeout=self._statement_timeout)

    async def _release(self, connection: Connection) -> None:
        status = connection.info.transaction_status
        if status in (pq.TransactionStatus.INTRANS, pq.TransactionStatus.INERROR):
            with contextlib.suppress(psycopg.Error):
                await connection.rollback()
            status = connection.info.transaction_status
        if self._closed or status is not pq.TransactionStatus.IDLE:
            await connection.close()
        else:
            self._idle.append(connection)


async def connect(url: str, *, name: str, statement_timeout: float = 0) -> Connection:
    """Open an autocommit connection.

    Args:
        url: libpq URL.
        name: `application_name` of the connection.
        statement_timeout: in seconds, 0 for none.

    Raises:
        PostgresError: the server is not reachable or refuses the role.
    """
    options = f"-c statement_timeout={int(statement_timeout * 1000)}"
    try:
        return await AsyncConnection.connect(
            url, autocommit=True, application_name=name, options=options, connect_timeout=CONNECT_TIMEOUT_SECONDS
        )
    except psycopg.OperationalError as error:
        raise PostgresError(f"PostgreSQL is not reachable: {str(error).strip()}") from error


def _is_alive(connection: Connection) -> bool:
    """Return whether the server still holds an idle connection, by reading without blocking."""
    try:
        for _ in range(READS_UNTIL_CLOSED):
            connection.pgconn.consume_input()
    except psycopg.Error:
        return False
    return not connection.closed
