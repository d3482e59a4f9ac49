"""Bulk is published as fast as the clients read, and a client that reads nothing delays nobody for long."""

import asyncio

from local_supabase.realtime.protocol.send_buffers import SendBuffers


class Reader:
    """A connection with unsent data, of which `read` takes some."""

    def __init__(self, unsent: int) -> None:
        self.unsent = unsent


WAIT_SECONDS = 0.2


async def test_nobody_behind_costs_no_wait() -> None:
    buffers = SendBuffers(100, WAIT_SECONDS)
    buffers.add(Reader(100))
    async with asyncio.timeout(0.01):
        await buffers.drain()


async def test_a_slow_reader_is_waited_for_as_long_as_it_reads() -> None:
    buffers, reader = SendBuffers(100, WAIT_SECONDS), Reader(1000)
    buffers.add(reader)
    waiting = asyncio.create_task(buffers.drain())
    while reader.unsent > 150:
        await asyncio.sleep(0.05)
        reader.unsent -= 100
        assert not waiting.done(), reader.unsent
    reader.unsent = 90
    async with asyncio.timeout(1):
        await waiting


async def test_who_reads_nothing_delays_others_once_until_it_reads_on() -> None:
    buffers, reader = SendBuffers(100, WAIT_SECONDS), Reader(1000)
    buffers.add(reader)
    async with asyncio.timeout(1):
        await buffers.drain()
    async with asyncio.timeout(0.05):
        await buffers.drain()
    reader.unsent = 500
    waiting = asyncio.create_task(buffers.drain())
    await asyncio.sleep(0.05)
    assert not waiting.done(), "it counts again"
    buffers.discard(reader)
    async with asyncio.timeout(1):
        await waiting
