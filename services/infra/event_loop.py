"""The event loop of the process: uvloop where it is installed, and a timeout that tolerates a blocked loop."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

TICK_SECONDS = 0.25
T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine like `asyncio.run`, on the fastest loop that is installed; there is no uvloop for Windows.

    uvloop takes half the CPU for each message.
    """
    try:
        from uvloop import new_event_loop  # noqa: PLC0415
    except ImportError:
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(work)


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
