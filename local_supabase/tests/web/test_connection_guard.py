"""Limits of HTTP connections: heads without an end, slow senders, and many connections of one address."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.asyncio.client import connect

from local_supabase.tests.speed import deadline
from local_supabase.tests.tools import until
from local_supabase.web import connection_guard as module
from local_supabase.web.server import serving

pytestmark = pytest.mark.integration
Address = tuple[str, int]


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the number of bytes in the body; keep sockets open; answer `/slow` after a second."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            await send({"type": "websocket.send", "text": "heard"})
        return
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    if scope["path"] == "/slow":
        await asyncio.sleep(1)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"8")]})
    await send({"type": "http.response.body", "body": f"{size:8d}".encode()})


@pytest.fixture
async def server() -> AsyncIterator[Address]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        async with serving(application, listener, WebSocketsSansIOProtocol):
            yield listener.getsockname()[:2]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times of half a second instead of 15."""
    monkeypatch.setattr(module, "HEADER_TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr(module, "BODY_TIMEOUT_SECONDS", 0.5)


async def answer_to(address: Address, *pieces: bytes, pause: float = 0.0) -> bytes:
    """Send the pieces, and return all that comes back until the server closes."""
    reader, writer = await asyncio.open_connection(*address)
    received = bytearray()

    async def read() -> None:
        while data := await reader.read(65536):
            received.extend(data)

    reading = asyncio.create_task(read())
    try:
        async with asyncio.timeout(deadline(20)):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause)
                if reading.done():
                    break
            await reading
    except (ConnectionError, BrokenPipeError):
        pass
    finally:
        reading.cancel()
        writer.close()
    return bytes(received)


@pytest.mark.parametrize(
    "beginning",
    [b"GET / HTTP/1.1\r\nHost: x\r\nX: ", b"GET /", b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 10, b"\r\n" * 20],
)
async def test_a_head_without_an_end_is_refused_after_64_kib(server: Address, beginning: bytes) -> None:
    filler = b"\r\n" if beginning == b"\r\n" * 20 else b"a: b\r\n" if beginning.endswith(b"b\r\n") else b"x"
    pieces = (filler * (8192 // len(filler)) for _ in range(1000))
    assert (await answer_to(server, beginning, *pieces)).startswith(b"HTTP/1.1 431 ")


async def test_a_head_of_less_passes_and_so_do_a_body_and_another_request(server: Address) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 50_000 + b"\r\nContent-Length: 1000000\r\n\r\n"
    last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = await answer_to(server, head + b"y" * 400_000, b"y" * 600_000 + last)
    assert answer.count(b"200 OK") == 2
    assert b" 1000000" in answer


@pytest.mark.parametrize("silent", [b"1;" + b"x" * 8192, b"0\r\nX: " + b"x" * 8192])
async def test_what_is_no_body_ends_too(server: Address, silent: bytes) -> None:
    """Extensions of a chunk, and headers after the body."""
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = await answer_to(server, head, silent, *(b"x" * 8192 for _ in range(1000)))
    assert answer.startswith(b"HTTP/1.1 431 ")


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    "beginning",
    [b"", b"G", b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"],
)
async def test_a_slow_sender_is_cut(server: Address, beginning: bytes) -> None:
    began = asyncio.get_running_loop().time()
    drops = (b"a: b\r\n" if not beginning.startswith(b"POST") else b"y" for _ in range(1000))
    await answer_to(server, *([beginning] if beginning else []), *(drops if beginning else ()), pause=0.05)
    assert asyncio.get_running_loop().time() - began < deadline(5)


@pytest.mark.usefixtures("hasty")
async def test_a_steady_body_a_slow_answer_and_an_open_socket_are_not_cut(server: Address) -> None:
    url = f"ws://{server[0]}:{server[1]}/"
    async with connect(url) as connection:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n"
        answer = await answer_to(server, head, *(b"y" * 5000 for _ in range(20)), pause=0.05)
        assert b"  100000" in answer
        slow = b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        assert b"200 OK" in await answer_to(server, slow)
        await connection.send("still here")
        async with asyncio.timeout(deadline(5)):
            assert await connection.recv() == "heard"


async def test_one_address_opens_so_many_connections_and_no_more(
    server: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loopback address may: a proxy or tunnel may be behind it; so the address is made to look like another."""
    monkeypatch.setattr(module, "MAX_CONNECTIONS_PER_ADDRESS", 3)
    request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    idle = [await asyncio.open_connection(*server) for _ in range(6)]
    assert b"200 OK" in await answer_to(server, request)
    monkeypatch.setattr(module, "_network", lambda client: client and client[0])
    assert await answer_to(server, request) == b""
    for _, writer in idle[:5]:
        writer.close()

    async def is_served() -> bool:
        return b"200 OK" in await answer_to(server, request)

    await until(is_served)
    idle[5][1].close()


async def test_an_idle_connection_is_kept_for_longer_than_clients_keep_it(
    server: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a request meets now and then a connection that the server is just closing."""
    kept: list[float] = []
    made = module.GuardedProtocol.connection_made

    def connection_made(protocol: module.GuardedProtocol, transport: asyncio.Transport) -> None:
        made(protocol, transport)
        kept.append(protocol.timeout_keep_alive)

    monkeypatch.setattr(module.GuardedProtocol, "connection_made", connection_made)
    async with httpx.AsyncClient(timeout=deadline(10)) as http:
        await http.get(f"http://{server[0]}:{server[1]}/")
    longest = httpx.Limits().keepalive_expiry
    assert longest
    assert kept == [kept[0]]
    assert kept[0] > 2 * longest
