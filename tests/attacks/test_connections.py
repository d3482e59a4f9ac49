"""The door of connections: one sender that would take all memory and time, of the app and of the local Supabase."""

import asyncio
import socket
import time
from contextlib import suppress
from urllib.parse import SplitResult, urlsplit

import httpx
import psutil
import pytest

from tests.app_process import AppProcess
from tests.speed import deadline
from tests.world import World

pytestmark = pytest.mark.e2e
MEBIBYTE = 1024 * 1024


async def endless_head(url: str, size: int) -> bytes:
    """Send a header of `size` bytes as far as the server takes it; returns its answer.

    In a thread: a stream of asyncio drops what it received when a write of it fails.
    """
    return await asyncio.to_thread(_endless_head, urlsplit(url), size)


def _endless_head(target: SplitResult, size: int) -> bytes:
    with socket.create_connection((target.hostname, target.port), timeout=deadline(60)) as connection:
        with suppress(ConnectionError):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
            for _ in range(size // 65536):
                connection.sendall(b"x" * 65536)
        with suppress(ConnectionError):
            return connection.recv(4096)
    return b""


async def test_a_head_without_an_end_costs_the_app_nothing(app: AppProcess) -> None:
    """The parser copies the header at every piece, so that 120 MB took 150 MB and half a second of every request."""
    process = psutil.Process(app.pid)
    async with httpx.AsyncClient(base_url=app.url, timeout=deadline(10)) as http:
        await http.get("/healthz")
        before = process.memory_info().rss
        attacks = [asyncio.create_task(endless_head(app.url, 40 * MEBIBYTE)) for _ in range(4)]
        slowest, peak = 0.0, before
        while not all(each.done() for each in attacks):
            began = time.perf_counter()
            assert (await http.get("/healthz")).status_code == 200
            slowest, peak = max(slowest, time.perf_counter() - began), max(peak, process.memory_info().rss)
            await asyncio.sleep(0.02)
        answers = await asyncio.gather(*attacks)
    assert peak - before < 20 * MEBIBYTE
    assert slowest < deadline(0.3)
    assert any(answer.startswith(b"HTTP/1.1 431 ") for answer in answers)


async def test_a_head_without_an_end_costs_the_local_supabase_nothing(world: World) -> None:
    """It listens on a loopback address, where every program of the machine reaches it."""
    process = psutil.Process(world.status.pid)
    before = process.memory_info().rss
    answers = await asyncio.gather(*(endless_head(world.status.api_url, 40 * MEBIBYTE) for _ in range(4)))
    assert process.memory_info().rss - before < 20 * MEBIBYTE
    assert any(answer.startswith(b"HTTP/1.1 431 ") for answer in answers)
