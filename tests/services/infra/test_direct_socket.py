"""A WebSocket that is written to without a task: in order, never beyond what the network takes, and until it closes."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import nullcontext

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import ClientConnection, connect

from services.infra.web_server import SOCKET, DirectSocket
from tests.speed import deadline
from tests.world import until

MESSAGE_BYTES = 50_000
MAX_MESSAGES = 1000


class Served:
    """An app that accepts one WebSocket and hands out its `DirectSocket`."""

    def __init__(self) -> None:
        self.socket: asyncio.Future[DirectSocket] = asyncio.get_running_loop().create_future()
        self.is_over = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        self.socket.set_result(scope[SOCKET])
        while (await receive())["type"] != "websocket.disconnect":
            pass
        self.is_over.set()


@pytest.fixture
async def served() -> AsyncIterator[tuple[Served, ClientConnection]]:
    """Yield the app and a client that is connected to it."""
    app = Served()
    server = uvicorn.Server(uvicorn.Config(app, ws=DirectSocket, port=0, log_config=None, lifespan="off"))
    server.capture_signals = nullcontext  # type: ignore[assignment, method-assign]
    running = asyncio.create_task(server.serve())

    async def has_started() -> bool:
        return server.started

    await until(has_started)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with connect(f"ws://127.0.0.1:{port}/", max_size=None, max_queue=1) as client:
        yield app, client
    server.should_exit = True
    await asyncio.wait_for(running, deadline(10))


async def test_messages_arrive_in_order_and_are_full_while_nobody_reads(
    served: tuple[Served, ClientConnection],
) -> None:
    app, client = served
    socket = await asyncio.wait_for(app.socket, deadline(10))
    sent = 0
    while not socket.is_full:
        socket.write_text(f"{sent} {secrets.token_hex(MESSAGE_BYTES)}")
        sent += 1
        await asyncio.sleep(0)
        assert sent < MAX_MESSAGES, "a client that does not read is never full"
    async with asyncio.timeout(deadline(20)):
        assert [int(str(await client.recv()).split()[0]) for _ in range(sent)] == list(range(sent))

    async def has_room() -> bool:
        return not socket.is_full

    await until(has_room, what="what waits has been read")


async def test_writing_to_a_socket_that_is_gone_does_nothing(served: tuple[Served, ClientConnection]) -> None:
    app, client = served
    socket = await asyncio.wait_for(app.socket, deadline(10))
    client.transport.abort()
    await asyncio.wait_for(app.is_over.wait(), deadline(10))
    socket.write_text("too late")
    assert not socket.is_full
