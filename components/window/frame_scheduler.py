"""Schedules the frames of all windows: at once when idle, less often under load to cap event-loop use."""

from collections.abc import Callable

from services.infra.coalescer import Coalescer

MIN_FRAME_SECONDS = 0.016
MAX_FRAME_SECONDS = 0.5
EVENT_LOOP_BUDGET = 0.1
"""Share of the event loop that flushing all windows may use."""
SOCKET_COST_FACTOR = 2.0
"""Total cost of a flush, socket writes included, as a multiple of the cost until its frame is handed over."""
COST_SMOOTHING = 0.2
"""Weight of the newest flush in the moving average of the cost."""


class FrameScheduler:
    """Sets the interval between the frames of a window; one per process.

    The interval is what one flush of every busy window costs, divided by `EVENT_LOOP_BUDGET` and kept between
    `MIN_FRAME_SECONDS` and `MAX_FRAME_SECONDS`.
    """

    def __init__(self) -> None:
        self.busy_windows = 0
        """Windows with a scheduled flush."""
        self._flush_cost = 0.0

    @property
    def frame_interval(self) -> float:
        """Seconds between two frames of one window."""
        round_cost = self._flush_cost * SOCKET_COST_FACTOR * max(1, self.busy_windows)
        return min(MAX_FRAME_SECONDS, max(MIN_FRAME_SECONDS, round_cost / EVENT_LOOP_BUDGET))

    def record_cost(self, seconds: float) -> None:
        """Add the cost of one flush to the moving average."""
        self._flush_cost += COST_SMOOTHING * (seconds - self._flush_cost)


class ScheduledFlush:
    """Calls one window's `flush` at the pace of the scheduler.

    Args:
        scheduler: The scheduler of the process.
        flush: Sends the window's frame.
        min_interval: Returns the seconds that this window keeps between two frames, whatever the scheduler says.
    """

    def __init__(
        self, scheduler: FrameScheduler, flush: Callable[[], None], *, min_interval: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._scheduler = scheduler
        self._flush = flush
        self._min_interval = min_interval
        self._coalescer = Coalescer(self._run, interval=self._interval)
        self._is_busy = False

    def schedule(self) -> None:
        """Flush in the next frame; idempotent until then."""
        if not self._is_busy:
            self._is_busy = True
            self._scheduler.busy_windows += 1
        self._coalescer.schedule()

    def cancel(self) -> None:
        """Forget the scheduled flush; idempotent."""
        self._coalescer.cancel()
        self._end()

    def _run(self) -> None:
        self._end()
        self._flush()

    def _end(self) -> None:
        if self._is_busy:
            self._is_busy = False
            self._scheduler.busy_windows -= 1

    def _interval(self) -> float:
        return max(self._scheduler.frame_interval, self._min_interval())
