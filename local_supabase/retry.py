"""Retry delays (`Backoff`) and condition polling (`poll`)."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable

RECONNECT_MAX_SECONDS = 1.0
"""Longest delay of a reconnect to PostgreSQL, which is on the same machine; a delay this long is not logged again."""


class Backoff:
    """Exponential retry delay: `initial` seconds, doubled after every retry up to `maximum` seconds.

    Starts over once `maximum` seconds pass without a retry, so that an isolated failure is retried quickly. There is
    no jitter: a single process retries against its own database.
    """

    def __init__(
        self,
        *,
        initial: float,
        maximum: float,
        timeout: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create a backoff; it is `exhausted` after `timeout` seconds of consecutive delays."""
        self._initial = initial
        self._maximum = maximum
        self._timeout = timeout
        self._clock = clock
        self._next = initial
        self._total = 0.0
        self._resumed_at = -math.inf

    @property
    def delay(self) -> float:
        """Seconds that the next `sleep` takes."""
        if self._clock() - self._resumed_at > self._maximum:
            self._next, self._total = self._initial, 0.0
        return self._next

    @property
    def exhausted(self) -> bool:
        """Whether consecutive delays have added up to the timeout."""
        return self._total >= self._timeout

    async def sleep(self) -> None:
        """Wait for `delay` seconds and lengthen the next delay."""
        delay = self.delay
        await asyncio.sleep(delay)
        self._next = min(delay * 2, self._maximum)
        self._total += delay
        self._resumed_at = self._clock()


async def poll(
    condition: Callable[[], bool] | Callable[[], Awaitable[bool]], *, every: float, within: float | None
) -> None:
    """Evaluate `condition` until it holds.

    Args:
        condition: a function or coroutine function.
        every: seconds between evaluations.
        within: seconds until TimeoutError; None waits indefinitely.

    Raises:
        TimeoutError: the condition did not hold in time.
    """
    async with asyncio.timeout(within):
        while True:
            holds = condition()
            if isinstance(holds, Awaitable):
                holds = await holds
            if holds:
                return
            await asyncio.sleep(every)
