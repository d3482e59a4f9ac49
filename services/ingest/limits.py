"""How many requests a key may make."""

import math
import time
from collections.abc import Callable
from uuid import UUID

from services.errors import IngestRefused
from services.infra.rate_limiter import Rate, RateLimiter
from services.ingest.operations import Code


class Limits:
    """A rate for each key."""

    def __init__(self, rate: Rate, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._buckets: RateLimiter[UUID] = RateLimiter(rate, clock=clock)

    def acquire(self, key: UUID) -> None:
        """Count a request of the key; raises IngestRefused when it has made too many."""
        if wait := self._buckets.acquire(key):
            raise IngestRefused(
                Code.RATE,
                f"This key makes more than {self._rate.per_second:g} requests a second. Send again in "
                f"{max(1, math.ceil(wait))} s, or put many operations into one request to /batch.",
                retry_after=wait,
            )
