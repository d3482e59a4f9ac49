"""Notifications of PostgreSQL, read where the event loop finds them, without a task switch for each."""

import asyncio
from collections import deque
from collections.abc import Callable

import psycopg

from local_supabase.postgres.pool import Connection

TURN_SIZE = 200
"""Notifications handled before other work of the event loop gets its turn."""


class Notifications:
    """The notifications of one connection, in the order of commits, from the creation of this object on.

    The reader of a command's result takes the notifications that arrived before it off the connection, too; they are
    kept until `receive`.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._read_by_commands: deque[psycopg.Notify] = deque()
        connection.add_notify_handler(self._read_by_commands.append)

    async def receive(self, handle: Callable[[str], None]) -> None:
        """Call `handle` with the payload of each notification until the connection is lost; nothing else may use it.

        Raises:
            psycopg.OperationalError: the connection is lost.
        """
        loop = asyncio.get_running_loop()
        lost: asyncio.Future[None] = loop.create_future()
        pgconn = self._connection.pgconn

        def read() -> None:
            try:
                pgconn.consume_input()
            except psycopg.OperationalError as error:
                # libpq has closed the socket: from the next callback on, its number may be another connection's.
                loop.remove_reader(descriptor)
                if not lost.done():
                    lost.set_exception(error)
                return
            drain()

        def drain() -> None:
            for _ in range(TURN_SIZE):
                if lost.done() or (notification := pgconn.notifies()) is None:
                    return
                handle(notification.extra.decode())
            loop.call_soon(drain)

        while self._read_by_commands:
            handle(self._read_by_commands.popleft().payload)
        descriptor = self._connection.fileno()
        loop.add_reader(descriptor, read)
        try:
            read()
            await lost
        except asyncio.CancelledError:
            loop.remove_reader(descriptor)
            raise
