"""Notifications of PostgreSQL, read where the event loop finds them, without a task switch for each."""

import asyncio
from collections.abc import Callable

import psycopg

from local_supabase.postgres.pool import Connection

TURN_SIZE = 200
"""Notifications handled before other work of the event loop gets its turn."""


async def receive_notifications(connection: Connection, receive: Callable[[str], None]) -> None:
    """Call `receive` with the payload of each notification until the connection is lost; nothing else may use it.

    Raises:
        psycopg.OperationalError: the connection is lost.
    """
    loop = asyncio.get_running_loop()
    lost: asyncio.Future[None] = loop.create_future()
    pgconn = connection.pgconn

    def read() -> None:
        try:
            pgconn.consume_input()
        except psycopg.OperationalError as error:
            if not lost.done():
                lost.set_exception(error)
            return
        drain()

    def drain() -> None:
        for _ in range(TURN_SIZE):
            if lost.done() or (notification := pgconn.notifies()) is None:
                return
            receive(notification.extra.decode())
        loop.call_soon(drain)

    descriptor = connection.fileno()
    loop.add_reader(descriptor, read)
    try:
        read()
        await lost
    finally:
        loop.remove_reader(descriptor)
        lost.cancel()
