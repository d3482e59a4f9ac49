"""A small pool of PostgreSQL connections that opens on demand and drops what broke."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection, pq

from local_supabase.errors import PostgresError

Connection = AsyncConnection[tuple[Any, ...]]
ACQUIRE_TIMEOUT = 30.0
CONNECT_TIMEOUT = 10


class Pool:
    """At most `size` autocommit connections as one role; owned by the server, closed with `aclose`."""

    def __init__(self, url: str, *, size: int, name: str, statement_timeout: float = 0) -> None:
        """`statement_timeout` in seconds, 0 for none."""
        self.url = url
        self._statement_timeout = statement_timeout
        self._name = name
        self._idle: list[Connection] = []
        self._free = asyncio.Semaphore(size)
        self._closed = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection; it comes back clean: rolled back if a transaction is open, dropped if broken.

        Raises PostgresError when none gets free in time or the server cannot be reached.
        """
        try:
            async with asyncio.timeout(ACQUIRE_TIMEOUT):
                await self._free.acquire()
        except TimeoutError as error:
            raise PostgresError(f"No connection of pool '{self._name}' got free in {ACQUIRE_TIMEOUT:.0f} s.") from error
        connection: Connection | None = None
        try:
            connection = await self._take()
            yield connection
        finally:
            if connection is not None:
                await self._give_back(connection)
            self._free.release()

    async def aclose(self) -> None:
        self._closed = True
        while self._idle:
            await self._idle.pop().close()

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if _is_alive(connection):
                return connection
            await connection.close()
        return await connect(self.url, name=self._name, statement_timeout=self._statement_timeout)

    async def _give_back(self, connection: Connection) -> None:
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
    """Open one autocommit connection; raises PostgresError."""
    options = f"-c statement_timeout={int(statement_timeout * 1000)}"
    try:
        return await AsyncConnection.connect(
            url, autocommit=True, application_name=name, options=options, connect_timeout=CONNECT_TIMEOUT
        )
    except psycopg.OperationalError as error:
        raise PostgresError(f"PostgreSQL cannot be reached: {str(error).strip()}") from error


def _is_alive(connection: Connection) -> bool:
    """Whether an idle connection still has a server: reading notices an end that came meanwhile, without waiting."""
    try:
        # A server that goes says so first: one read takes its farewell, the next the end.
        for _ in range(3):
            connection.pgconn.consume_input()
    except psycopg.Error:
        return False
    return not connection.closed
