"""When a window is flushed: at once after quiet, and under load so seldom that flushing keeps to its share."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from components.window.window import Window

MIN_FRAME_SECONDS = 0.016
MAX_FRAME_SECONDS = 0.5
EVENT_LOOP_BUDGET = 0.1
SOCKET_COST_FACTOR = 2.0
"""What a flush costs in all, by what it costs until its frame is handed over: the socket's part comes later."""
COST_SMOOTHING = 0.2


class FrameScheduler:
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
        return min(
            MAX_FRAME_SECONDS,
            max(MIN_FRAME_SECONDS, self._cost * SOCKET_COST_FACTOR * max(1, self.busy) / EVENT_LOOP_BUDGET),
        )

    def record_cost(self, seconds: float) -> None:
        """Take note of what one flush cost."""
        self._cost += COST_SMOOTHING * (seconds - self._cost)


class ScheduledFlush:
    """Calls `flush` soon after `mark`: at once when the last call is a frame ago, else when the frame is over.

    `least` gives seconds that this one keeps between two calls, whatever the scheduler says.
    """

    def __init__(
        self, scheduler: FrameScheduler, flush: Callable[[], None], *, least: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._scheduler = scheduler
        self._least = least
        self._flush = flush
        self._flushed_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    def schedule(self) -> None:
        """There is something to flush."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._scheduler.busy += 1
            frame = max(self._scheduler.frame, self._least())
            self._timer = loop.call_at(max(loop.time(), self._flushed_at + frame), self._run)

    def cancel(self) -> None:
        """Forget what was marked; idempotent."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
            self._scheduler.busy -= 1

    def _run(self) -> None:
        self._timer = None
        self._scheduler.busy -= 1
        loop = asyncio.get_running_loop()
        self._flushed_at = loop.time()
        self._flush()
        self._scheduler.record_cost(loop.time() - self._flushed_at)
