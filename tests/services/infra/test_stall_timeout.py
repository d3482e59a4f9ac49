"""How long one waits for what a blocked event loop could not hear."""

import asyncio
import time
from typing import Any

import pytest

from services.infra.event_loop import TICK_SECONDS, stall_tolerant_timeout


async def test_it_ends_after_its_seconds() -> None:
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        async with stall_tolerant_timeout(1.5 * TICK_SECONDS):
            await asyncio.Event().wait()
    assert time.monotonic() - started >= 1.5 * TICK_SECONDS


async def test_what_came_while_the_loop_was_blocked_is_heard() -> None:
    mine, theirs = asyncio.StreamReader(), b"in time\n"
    async with stall_tolerant_timeout(2 * TICK_SECONDS):
        loop = asyncio.get_running_loop()
        loop.call_soon(time.sleep, 3 * TICK_SECONDS)
        # Read in several turns of the loop, as an answer of a socket is.
        loop.call_later(2 * TICK_SECONDS, loop.call_soon, loop.call_soon, mine.feed_data, theirs)
        assert await mine.readline() == theirs


async def test_what_is_done_in_time_leaves_no_timer() -> None:
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    async with stall_tolerant_timeout(TICK_SECONDS):
        pass
    await asyncio.sleep(1.5 * TICK_SECONDS)
    assert errors == []


async def test_a_cancellation_stays_one() -> None:
    async def wait() -> None:
        async with stall_tolerant_timeout(60):
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
