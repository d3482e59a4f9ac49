"""When a window is flushed: at once after quiet, and under load so seldom that flushing keeps to its share."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from components.window.window import Window

SHORTEST = 0.016
LONGEST = 0.5
SHARE = 0.1
SENDING = 2.0
"""What a flush costs in all, by what it costs until its frame is handed over: the socket's part comes later."""
MEMORY = 0.2


class Pacer:
    """One per process, and the windows that it paces.

    The frame is what a round of all busy windows costs, divided by the share of the event loop that flushing may take,
    kept between 16 and 500 ms.
    """

    def __init__(self) -> None:
        self.busy = 0
        self.frames = 0
        self.windows: set[Window] = set()
        self._cost = 0.0

    @property
    def window_count(self) -> int:
        """Windows that are open."""
        return len(self.windows)

    @property
    def frame(self) -> float:
        """Seconds between two flushes of one window."""
        return min(LONGEST, max(SHORTEST, self._cost * SENDING * max(1, self.busy) / SHARE))

    def spent(self, seconds: float) -> None:
        """Take note of what one flush cost."""
        self._cost += MEMORY * (seconds - self._cost)


class Paced:
    """Calls `flush` soon after `mark`: at once when the last call is a frame ago, else when the frame is over.

    `least` gives seconds that this one keeps between two calls, whatever the pacer says.
    """

    def __init__(self, pacer: Pacer, flush: Callable[[], None], *, least: Callable[[], float] = lambda: 0.0) -> None:
        self._pacer = pacer
        self._least = least
        self._flush = flush
        self._flushed_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    def mark(self) -> None:
        """There is something to flush."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._pacer.busy += 1
            frame = max(self._pacer.frame, self._least())
            self._timer = loop.call_at(max(loop.time(), self._flushed_at + frame), self._run)

    def cancel(self) -> None:
        """Forget what was marked; idempotent."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
            self._pacer.busy -= 1

    def _run(self) -> None:
        self._timer = None
        self._pacer.busy -= 1
        loop = asyncio.get_running_loop()
        self._flushed_at = loop.time()
        self._flush()
        self._pacer.spent(loop.time() - self._flushed_at)
