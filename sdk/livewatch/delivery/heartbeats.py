"""Heartbeats: which active runs are due, and the operations that tell the server of them."""

import math
import time
from collections.abc import Callable

from livewatch.delivery.operations import Operation, encode, new_idempotency_key

INTERVAL_SECONDS = 15.0
MAX_RUNS_PER_OPERATION = 500


class Heartbeats:
    """Makes a heartbeat for each run at once and then every interval. Not thread-safe.

    Args:
        active_runs: Returns references (`streams/<slug>`) of this process's active runs.
        interval_seconds: Interval of heartbeats, declared to the server with each.
        reporter: Identifier of this process, for runs that it shares with others; none if empty.
        clock: Monotonic time in seconds.
    """

    def __init__(
        self,
        active_runs: Callable[[], list[str]],
        *,
        interval_seconds: float = INTERVAL_SECONDS,
        reporter: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._active_runs = active_runs
        self._interval_seconds = interval_seconds
        self._reporter = reporter
        self._clock = clock
        self._sent: set[str] = set()
        self.due_at = math.inf
        """Time of the next heartbeats, by `clock`; infinite without active runs."""

    def due(self) -> list[Operation]:
        """Make heartbeats for new runs, or for all runs when the interval is over."""
        runs, now = self._active_runs(), self._clock()
        is_due = now >= self.due_at
        due = runs if is_due else [run for run in runs if run not in self._sent]
        self._sent = set(runs)
        if is_due or not runs or self.due_at == math.inf:
            self.due_at = now + self._interval_seconds if runs else math.inf
        return [
            Operation(
                "POST",
                "/heartbeats",
                encode(
                    {
                        "runs": due[n : n + MAX_RUNS_PER_OPERATION],
                        "interval": self._interval_seconds,
                        **({"reporter": self._reporter} if self._reporter else {}),
                    }
                ),
                new_idempotency_key(),
            )
            for n in range(0, len(due), MAX_RUNS_PER_OPERATION)
        ]
