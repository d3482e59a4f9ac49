"""A timeout that does not count the time during which nothing could be heard."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

TICK = 0.25


@asynccontextmanager
async def stall_tolerant_timeout(seconds: float) -> AsyncIterator[None]:
    """Raise TimeoutError after these seconds, as `asyncio.timeout` does, but count a standstill of the loop as a tick.

    What a blocked event loop has not read yet may have come in time: it is read before the stall_tolerant_timeout ends.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as limit:
        timer: asyncio.Handle

        def tick(left: float) -> None:
            nonlocal timer
            if left <= 0:
                limit.reschedule(loop.time())
            else:
                timer = loop.call_later(min(TICK, left), tick, left - TICK)

        timer = loop.call_soon(tick, seconds)
        try:
            yield
        finally:
            timer.cancel()
