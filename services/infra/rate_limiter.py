"""Token buckets: how often something may be done, for each who does it, in this process."""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

# RateLimiter that were full long ago are as good as new ones.
MAX_BUCKETS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Times a second that go on for ever, and those that may come at once after quiet."""

    per_second: float
    burst: int


class RateLimiter(Generic[K]):
    """A bucket for each key. Several app processes have theirs each, so that the rate is one of a process."""

    def __init__(self, rate: Rate, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._buckets: dict[K, tuple[float, float]] = {}

    def acquire(self, key: K) -> float:
        """Count one for the key; returns 0, or not counting it the seconds to wait until there may be one."""
        now = self._clock()
        tokens, since = self._buckets.get(key, (float(self._rate.burst), now))
        tokens = min(self._rate.burst, tokens + (now - since) * self._rate.per_second)
        if tokens < 1:
            return (1 - tokens) / self._rate.per_second
        if key not in self._buckets and len(self._buckets) >= MAX_BUCKETS:
            self._forget_full(now)
        self._buckets[key] = (tokens - 1, now)
        return 0.0

    def refund(self, key: K) -> None:
        """Count one less: it was of the kind that may be done as often as one likes."""
        if held := self._buckets.get(key):
            self._buckets[key] = (min(self._rate.burst, held[0] + 1), held[1])

    def _forget_full(self, now: float) -> None:
        refill = self._rate.burst / self._rate.per_second
        self._buckets = {key: each for key, each in self._buckets.items() if now - each[1] < refill}
