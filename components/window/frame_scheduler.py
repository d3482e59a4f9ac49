"""Schedules the frames of all windows: at once when idle, less often under load to cap event-loop use."""

import asyncio
import math
import time
from collections.abc import Callable

from services.infra.tasks.coalescer import Coalescer

MIN_FRAME_SECONDS = 0.005
MAX_FRAME_SECONDS = 0.5
MAX_FRAME_RATE = 1000.0
"""Frames per second to all windows together: more would cost CPU for changes that nobody can tell apart."""
EVENT_LOOP_BUDGET = 0.5
"""Share of an otherwise idle event loop that flushing all windows may use."""
BUSY_LOOP_BUDGET = 0.1
"""Share of a loop that is late with everything, since requests wait, too."""
LATENESS_SECONDS = 0.01
"""Lateness of the loop up to which it counts as idle; the budget falls in proportion beyond."""
SOCKET_COST_FACTOR = 1.25
"""Total cost of a flush, what the kernel and acknowledgements take included, as a multiple of the measured one."""
SMOOTHING = 0.2
"""Weight of the newest flush in the moving averages of cost and lateness."""
CROWD_HALF_LIFE_SECONDS = 1.0
"""Time in which the number of windows that count as busy falls to a half, unless as many are busy again."""


class FrameScheduler:
    """Sets the interval between the frames of a window; one per process.

    The interval is what one flush of every busy window costs, divided by the budget. It is no less than
    `MIN_FRAME_SECONDS` and than the busy windows' share of `MAX_FRAME_RATE`, and at most `MAX_FRAME_SECONDS`.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        """Measures the cost of flushes, in seconds."""
        self.busy_windows = 0
        """Windows with a scheduled flush."""
        self.spent = 0.0
        """Seconds that all flushes took so far, socket writes included."""
        self._flush_cost = 0.0
        self._lateness = 0.0
        self._peak = 0.0
        self._peak_at = 0.0

    @property
    def frame_interval(self) -> float:
        """Seconds between two frames of one window."""
        crowd = self.crowd
        wanted = max(MIN_FRAME_SECONDS, crowd / MAX_FRAME_RATE, self._flush_cost * crowd / self.budget)
        return min(MAX_FRAME_SECONDS, wanted)

    @property
    def crowd(self) -> float:
        """Windows that were busy at the same time of late; at least 1. Most have just been flushed at any moment."""
        age = self.clock() - self._peak_at
        return max(1.0, self.busy_windows, self._peak * math.pow(0.5, age / CROWD_HALF_LIFE_SECONDS))

    def enter(self) -> None:
        """Count a window with a scheduled flush."""
        self.busy_windows += 1
        self._peak, self._peak_at = self.crowd, self.clock()

    def leave(self) -> None:
        """Stop counting a window whose flush began or was cancelled."""
        self.busy_windows -= 1

    @property
    def budget(self) -> float:
        """Share of the event loop that flushes may use now."""
        idleness = LATENESS_SECONDS / max(LATENESS_SECONDS, self._lateness)
        return max(BUSY_LOOP_BUDGET, EVENT_LOOP_BUDGET * idleness)

    def record_cost(self, seconds: float) -> None:
        """Add the cost of one flush, until its frame is handed over, to the moving average."""
        cost = seconds * SOCKET_COST_FACTOR
        self.spent += cost
        self._flush_cost += SMOOTHING * (cost - self._flush_cost)

    def record_lateness(self, seconds: float) -> None:
        """Add how late the event loop began a flush, other flushes aside, to the moving average."""
        self._lateness += SMOOTHING * (max(0.0, seconds) - self._lateness)


class ScheduledFlush:
    """Calls one window's `flush` at the pace of the scheduler.

    Args:
        scheduler: The scheduler of the process.
        flush: Sends the window's frame.
    """

    def __init__(self, scheduler: FrameScheduler, flush: Callable[[], None]) -> None:
        self._scheduler = scheduler
        self._flush = flush
        self._coalescer = Coalescer(self._run, interval=lambda: scheduler.frame_interval)
        self._is_busy = False
        self._spent_before = 0.0

    def schedule(self) -> None:
        """Flush in the next frame; idempotent until then."""
        if not self._is_busy:
            self._is_busy = True
            self._scheduler.enter()
            self._spent_before = self._scheduler.spent
        self._coalescer.schedule()

    def cancel(self) -> None:
        """Forget the scheduled flush; idempotent."""
        self._coalescer.cancel()
        self._end()

    def _run(self) -> None:
        scheduler = self._scheduler
        lateness = asyncio.get_running_loop().time() - self._coalescer.due_at
        scheduler.record_lateness(lateness - (scheduler.spent - self._spent_before))
        self._end()
        began = scheduler.clock()
        self._flush()
        scheduler.record_cost(scheduler.clock() - began)

    def _end(self) -> None:
        if self._is_busy:
            self._is_busy = False
            self._scheduler.leave()
