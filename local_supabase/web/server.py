"""Runs the ASGI application with uvicorn on a bound socket, without installing signal handlers."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp

from local_supabase.web.connection_guard import guarded_protocol

MAX_MESSAGE_BYTES = 3 * 1024 * 1024
SHUTDOWN_TIMEOUT_SECONDS = 3
# Longer than clients and proxies keep idle connections, or a request can meet a connection that is just closed.
KEEP_ALIVE_SECONDS = 75


@asynccontextmanager
async def serving(
    app: ASGIApp, listener: socket.socket, websocket_protocol: type[asyncio.Protocol]
) -> AsyncIterator[None]:
    """Serve while the context is open; on exit close sockets with code 1012, as hosted Realtime does.

    Args:
        app: the application.
        listener: a bound, listening socket; stays open.
        websocket_protocol: uvicorn's protocol class for WebSockets.
    """
    config = uvicorn.Config(
        app,
        http=guarded_protocol(lambda _: False),
        ws=websocket_protocol,
        ws_per_message_deflate=False,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_ping_interval=None,
        lifespan="off",
        # Else every client on this machine chooses its address, by which guessing is limited.
        proxy_headers=False,
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_SECONDS,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    ready = asyncio.create_task(server.ready.wait())
    try:
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield
    finally:
        ready.cancel()
        server.should_exit = True
        await task


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
