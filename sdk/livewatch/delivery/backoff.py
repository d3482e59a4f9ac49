"""Exponential backoff with full jitter: when to retry after failures."""

import random
import time
from collections.abc import Callable

MIN_DELAY_SECONDS = 0.1
FIRST_CEILING_SECONDS = 0.5
MAX_CEILING_SECONDS = 30.0
# 0.5 s doubled ten times exceeds every ceiling in use, and the power stays small after days of failures.
MAX_DOUBLINGS = 10


class Backoff:
    """Schedules retries: each delay is uniform between a minimum and a ceiling that doubles per failure.

    The jitter keeps a fleet from retrying in step.
    Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ ("full jitter").

    Not thread-safe: the owner locks.

    Args:
        min_seconds: Lower bound of every delay.
        first_seconds: Ceiling of the first delay.
        max_seconds: Upper bound of every ceiling.
        uniform: Draws a number between its two arguments.
        clock: Monotonic time in seconds.
    """

    def __init__(
        self,
        *,
        min_seconds: float = MIN_DELAY_SECONDS,
        first_seconds: float = FIRST_CEILING_SECONDS,
        max_seconds: float = MAX_CEILING_SECONDS,
        uniform: Callable[[float, float], float] = random.uniform,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._min_seconds = min_seconds
        self._first_seconds = first_seconds
        self._max_seconds = max_seconds
        self._uniform = uniform
        self._clock = clock
        self.failures = 0
        self.retry_at = 0.0
        """Time of the next attempt, by `clock`; in the past when an attempt may start now."""

    def record_failure(self, retry_after: float | None = None) -> float:
        """Count a failure and schedule the next attempt.

        Args:
            retry_after: Seconds to wait, where the cause dictates them; drawn otherwise.

        Returns:
            Seconds until the next attempt.
        """
        delay = self._draw() if retry_after is None else retry_after
        self.failures += 1
        self.postpone(delay)
        return delay

    def postpone(self, seconds: float) -> None:
        """Schedule the next attempt in `seconds` without counting a failure."""
        self.retry_at = self._clock() + seconds

    def retry_now(self) -> None:
        """Allow the next attempt at once; keep the count of failures."""
        self.retry_at = 0.0

    def reset(self) -> None:
        """Forget all failures after a success."""
        self.failures = 0
        self.retry_now()

    def _draw(self) -> float:
        ceiling = min(self._max_seconds, self._first_seconds * 2 ** min(self.failures, MAX_DOUBLINGS))
        return self._uniform(self._min_seconds, ceiling)
