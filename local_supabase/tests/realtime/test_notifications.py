"""Notifications that arrive while a command runs on the connection that listens."""

import asyncio
import socket
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from psycopg.pq import ConnStatus

from local_supabase.postgres.pool import connect
from local_supabase.process import LocalSupabase
from local_supabase.realtime.channels.notifications import TURN_SIZE, Notifications
from local_supabase.tests.speed import deadline
from local_supabase.tests.tools import until

pytestmark = pytest.mark.integration


async def test_notifications_before_during_and_after_commands_arrive_once_and_in_order(
    local: LocalSupabase, owner: psycopg.AsyncConnection[Any]
) -> None:
    received: list[int] = []

    async def notify(numbers: range) -> None:
        for number in numbers:
            await owner.execute("select pg_notify('test_notifications', %s)", (str(number),))

    async with await connect(local.status.database_url.get_secret_value(), name="test") as connection:
        notifications = Notifications(connection)
        await connection.execute("listen test_notifications")
        await notify(range(3))
        await connection.execute("select 1")
        await asyncio.gather(connection.execute("select pg_sleep(0.2)"), notify(range(3, 6)))
        await notify(range(6, 9))
        receiving = asyncio.create_task(notifications.receive(lambda payload: received.append(int(payload))))
        await owner.execute(
            "select pg_notify('test_notifications', n::text) from generate_series(9, %s) as n", (3 * TURN_SIZE,)
        )
        await until(lambda: len(received) > 3 * TURN_SIZE)
        receiving.cancel()
    assert received == list(range(3 * TURN_SIZE + 1))


async def test_a_lost_connection_leaves_the_next_owner_of_its_descriptor_alone(
    local: LocalSupabase, superuser: psycopg.AsyncConnection[Any]
) -> None:
    loop, was_read = asyncio.get_running_loop(), asyncio.Event()
    connection = await connect(local.status.database_url.get_secret_value(), name="test")
    descriptor = connection.fileno()
    receiving = asyncio.create_task(Notifications(connection).receive(lambda _: None))
    await superuser.execute("select pg_terminate_backend(%s)", (connection.info.backend_pid,))
    while connection.pgconn.status == ConnStatus.OK:  # noqa: ASYNC110  # nothing tells of it
        await asyncio.sleep(0)
    with ExitStack() as sockets:
        pairs: list[tuple[socket.socket, socket.socket]] = []
        while not any(mine.fileno() == descriptor for mine, _ in pairs):
            pairs.append(tuple(sockets.enter_context(each) for each in socket.socketpair()))  # type: ignore[arg-type]
        mine, other = pairs[-1]
        loop.add_reader(mine, was_read.set)
        with pytest.raises(psycopg.OperationalError):
            await receiving
        other.send(b"data")
        await asyncio.wait_for(was_read.wait(), deadline(1))
        loop.remove_reader(mine)
    await connection.close()
