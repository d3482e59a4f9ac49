"""Coalescing of requests for a piece of work: immediate when idle, at most one run at a time and per interval."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from services.errors import LivewatchError

RETRY_SECONDS = 3.0


class Coalescer:
    """Runs `work` soon after `schedule`, however often that is called meanwhile.

    The first run after an idle period starts at once. Later runs start no sooner than `interval()` seconds after the
    previous one started. Belongs to the running event loop; `work` must not raise.

    Args:
        work: What to run, without arguments.
        interval: Returns the minimum seconds between two starts; called by each `schedule`, and may use `last_cost`.
        is_eager: Whether an idle `schedule` runs `work` before it returns, instead of in the next turn of the loop.
        is_aligned: Whether later runs start at multiples of the interval, so that those of many coalescers coincide.
    """

    def __init__(
        self,
        work: Callable[[], None],
        *,
        interval: Callable[[], float],
        is_eager: bool = False,
        is_aligned: bool = False,
    ) -> None:
        self.last_cost = 0.0
        """Seconds that the previous run took; 0 before the first."""
        self.due_at = float("-inf")
        """Loop time at which the scheduled, the present or the last run was due."""
        self._work = work
        self._interval = interval
        self._is_eager = is_eager
        self._is_aligned = is_aligned
        self._started_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    def schedule(self) -> None:
        """Schedule a run for the end of the interval, or at once if it is over; idempotent until it runs."""
        if self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        interval, since = self._interval(), self._started_at
        if self._is_aligned and since > 0:
            since -= since % interval
        self.due_at = max(loop.time(), since + interval)
        if self._is_eager and self.due_at <= loop.time():
            self.run()
        else:
            self._timer = loop.call_at(self.due_at, self.run)

    def run(self) -> None:
        """Run the work now and cancel a scheduled run."""
        self.cancel()
        self._started_at = asyncio.get_running_loop().time()
        began = time.perf_counter()
        self._work()
        self.last_cost = time.perf_counter() - began

    def cancel(self) -> None:
        """Cancel a scheduled run; idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Reloads:
    """Runs `read` when it is asked to: one at a time, and once more if it was asked meanwhile. End with `close`.

    Args:
        read: Reads and shows; one that raises LivewatchError is tried again.
        name: Name of the task.
        on_failure: Called with the error of each failure.
        retry: Seconds between two tries.
        interval: Minimum seconds between two reads.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[object]],
        *,
        name: str,
        on_failure: Callable[[LivewatchError], object],
        retry: float = RETRY_SECONDS,
        interval: float = 0.0,
    ) -> None:
        self._read = read
        self._name = name
        self._on_failure = on_failure
        self._retry = retry
        self._interval = interval
        self._is_due = False
        self._task: asyncio.Task[None] | None = None

    def request(self) -> None:
        """Read now, or once more after the present read."""
        self._is_due = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name=self._name)

    def close(self) -> None:
        """Stop reading; idempotent."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        while self._is_due:
            self._is_due = False
            try:
                await self._read()
            except LivewatchError as error:
                self._on_failure(error)
                self._is_due = True
                await asyncio.sleep(self._retry)
            else:
                await asyncio.sleep(self._interval)
