"""How many requests a key may make: a token bucket each, in this process."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from services.errors import IngestRefused
from services.ingest.operations import Code

# Buckets that were full long ago are as good as new ones.
MOST_BUCKETS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Requests a second that go on for ever, and those that may come at once after quiet."""

    per_second: float = 100.0
    burst: int = 200


class Limits:
    """A bucket for each key. Several app processes have a bucket each, so that the limit is one of a process."""

    def __init__(self, rate: Rate, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._buckets: dict[UUID, tuple[float, float]] = {}

    def take(self, key: UUID) -> None:
        """Count a request of the key; raises IngestRefused when it has made too many."""
        now = self._clock()
        tokens, since = self._buckets.get(key, (float(self._rate.burst), now))
        tokens = min(self._rate.burst, tokens + (now - since) * self._rate.per_second)
        if tokens < 1:
            wait = (1 - tokens) / self._rate.per_second
            raise IngestRefused(
                Code.RATE,
                f"This key makes more than {self._rate.per_second:g} requests a second. Send again in "
                f"{max(1, math.ceil(wait))} s, or put many operations into one request to /batch.",
                retry_after=wait,
            )
        if key not in self._buckets and len(self._buckets) >= MOST_BUCKETS:
            self._forget_full(now)
        self._buckets[key] = (tokens - 1, now)

    def _forget_full(self, now: float) -> None:
        refill = self._rate.burst / self._rate.per_second
        self._buckets = {key: each for key, each in self._buckets.items() if now - each[1] < refill}
