"""A timeout that does not count the time during which the event loop was blocked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

TICK_SECONDS = 0.25


@asynccontextmanager
async def stall_tolerant_timeout(seconds: float) -> AsyncIterator[None]:
    """Raise TimeoutError after `seconds`, like `asyncio.timeout`, but count a blocked event loop as one tick.

    What a blocked loop has not read yet may have arrived in time: it is read before the timeout fires.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as limit:
        timer: asyncio.Handle

        def tick(left: float) -> None:
            nonlocal timer
            if left <= 0:
                limit.reschedule(loop.time())
            else:
                timer = loop.call_later(min(TICK_SECONDS, left), tick, left - TICK_SECONDS)

        timer = loop.call_soon(tick, seconds)
        try:
            yield
        finally:
            timer.cancel()
