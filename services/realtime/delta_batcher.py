"""Telling many subscriptions of changes: at once after quiet, and under load in batcher, so that telling keeps to its share."""

import asyncio
import time
from collections.abc import Callable
from typing import Generic

from services.entities.entity import R
from services.realtime.rows import Delta

EVENT_LOOP_BUDGET = 0.03
"""Of the event loop, for the subscriptions of one table."""
MAX_DELAY_SECONDS = 0.1


class DeltaBatcher(Generic[R]):
    """Passes deltas on in their order. Few subscriptions are told of each change by itself; with hundreds, telling one change
    costs a millisecond, so that the next ones wait for each other, a tenth of a second at most."""

    def __init__(self, tell: Callable[[list[Delta[R]]], None]) -> None:
        self._deliver = tell
        self._waiting: list[Delta[R]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._due_at = float("-inf")

    def add(self, deltas: list[Delta[R]]) -> None:
        """Tell of these, now or soon."""
        self._waiting += deltas
        if self._timer is None:
            loop = asyncio.get_running_loop()
            if loop.time() >= self._due_at:
                self.flush()
            else:
                self._timer = loop.call_at(self._due_at, self.flush)

    def flush(self) -> None:
        """Tell now of what waits."""
        self.cancel()
        waiting, self._waiting = self._waiting, []
        if waiting:
            began = time.perf_counter()
            self._deliver(waiting)
            pause = min(MAX_DELAY_SECONDS, (time.perf_counter() - began) / EVENT_LOOP_BUDGET)
            self._due_at = asyncio.get_running_loop().time() + pause

    def cancel(self) -> None:
        """Stop the clock; what waits goes with the next that is told."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
