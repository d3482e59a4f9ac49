"""Network faults: a TCP proxy that cuts, freezes and slows down, and a WebSocket proxy that rewrites frames."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from socket import AF_INET, SO_LINGER, SO_REUSEPORT, SOCK_STREAM, SOL_SOCKET, socket
from typing import Self
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

CHUNK = 16 * 1024


class TcpProxy:
    """Forwards bytes to a server until told to fail; `delay` is in seconds, `rate` in bytes per second, each way.

    The server's URL is `http://host:port`, or `unix:///path` of a socket.
    """

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._port = 0
        # Bound and never listening: keeps the port from others while the proxy refuses connections.
        self._reserved = socket(AF_INET, SOCK_STREAM)
        self._reserved.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.delay = 0.0
        self.rate = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def connections(self) -> int:
        """Number of open connections, counting both sides."""
        return len(self._writers)

    async def __aenter__(self) -> Self:
        self._reserved.bind(("127.0.0.1", 0))
        self._port = self._reserved.getsockname()[1]
        await self.restore()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cut()
        self._reserved.close()

    async def cut(self) -> None:
        """Reset every connection and refuse new ones."""
        if server := self._server:
            self._server = None
            # A connection that asyncio has accepted and not set up yet would never be closed with its server.
            for listener in server.sockets:
                asyncio.get_running_loop().remove_reader(listener.fileno())
            await asyncio.sleep(0.01)
            server.close()
        self.reset()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def restore(self) -> None:
        """Accept and forward again, on the same port."""
        self._flowing.set()
        self.delay = self.rate = 0.0
        if self._server is None:
            self._server = await asyncio.start_server(
                self._accept, "127.0.0.1", self._port, reuse_address=True, reuse_port=True
            )

    def reset(self) -> None:
        """Reset every connection by RST, without a close handshake; new ones are accepted."""
        for writer in list(self._writers):
            if connection := writer.get_extra_info("socket"):
                with suppress(OSError):
                    connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    def freeze(self) -> None:
        """Stop forwarding silently; connections stay half-open."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Forward again, including the bytes received while frozen."""
        self._flowing.set()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._target.scheme == "unix":
            return await asyncio.open_unix_connection(self._target.path)
        return await asyncio.open_connection(self._target.hostname, self._target.port)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        upstream: asyncio.StreamWriter | None = None
        try:
            upstream_reader, upstream = await self._connect()
            self._writers.add(upstream)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, upstream))
                group.create_task(self._pump(upstream_reader, writer))
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            pass  # asyncio's server would report a cancelled handler as an error
        finally:
            self._tasks.discard(task)
            for each in (writer, upstream):
                if each:
                    self._writers.discard(each)
                    each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward until the end; bytes are read while others are delayed, so that a delay does not limit the rate."""
        clock = asyncio.get_running_loop().time
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=64)

        async def arrive() -> None:
            while True:
                due, data = await under_way.get()
                await self._flowing.wait()
                await asyncio.sleep(due - clock())
                if self.rate:
                    await asyncio.sleep(len(data) / self.rate)
                writer.write(data)
                await writer.drain()

        async with asyncio.TaskGroup() as group:
            group.create_task(arrive())
            while data := await reader.read(CHUNK if not self.rate else 1024):
                await under_way.put((clock() + self.delay, data))
            raise ConnectionResetError


Rewrite = Callable[[str], list[str]]
"""Receives a frame from the server and returns the frame for the client."""


class FrameProxy:
    """Forwards WebSocket frames between a Realtime client and server; `rewrite` may change those from the server."""

    def __init__(self) -> None:
        self.port = 0
        self.rewrite: Rewrite = lambda frame: [frame]
        self._clients: set[ServerConnection] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """Number of open client connections."""
        return len(self._clients)

    async def inject(self, frame: str) -> None:
        """Send a frame to every client, as if from the server."""
        for client in self._clients:
            await client.send(frame)

    async def close(self, code: int) -> None:
        """Close every client's socket with that code."""
        for client in list(self._clients):
            await client.close(code)

    @classmethod
    @asynccontextmanager
    async def to(cls, url: str) -> AsyncIterator[Self]:
        """Run a proxy to the Realtime server at `url`."""
        proxy = cls()

        async def handle(client: ServerConnection) -> None:
            assert client.request
            proxy._clients.add(client)
            upstream_url = url.replace("http", "ws", 1) + client.request.path
            try:
                # A full buffer must not stop the reader, which would miss a close and wait 10 s for it.
                async with (
                    connect(upstream_url, max_size=None, max_queue=None) as upstream,
                    asyncio.TaskGroup() as group,
                ):

                    async def down() -> None:
                        async for frame in upstream:
                            for each in proxy.rewrite(str(frame)):
                                await client.send(each)
                        await client.close()

                    async def up() -> None:
                        async for frame in client:
                            await upstream.send(frame)
                        await upstream.close()

                    group.create_task(down())
                    group.create_task(up())
            except (ConnectionClosed, OSError, ExceptionGroup):
                pass
            finally:
                proxy._clients.discard(client)

        async with serve(handle, "127.0.0.1", 0, max_size=None) as server:
            proxy.port = next(iter(server.sockets)).getsockname()[1]
            yield proxy
