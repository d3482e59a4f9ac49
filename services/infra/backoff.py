"""Exponential backoff with full jitter between the attempts of a retry."""

import asyncio
from random import Random

MIN_DELAY_SECONDS = 0.05
MAX_EXPONENT = 10


class Backoff:
    """Delays between attempts: random between `MIN_DELAY_SECONDS` and a bound that doubles up to `maximum`.

    Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter ("full jitter").

    Args:
        base: Bound of a delay without a failed attempt, in seconds.
        maximum: Largest bound in seconds.
        random: Source of randomness.
    """

    def __init__(self, *, base: float, maximum: float, random: Random | None = None) -> None:
        self.attempt = 0
        """Failed attempts since the last success."""
        self._base = base
        self._maximum = maximum
        self._random = random or Random()

    def record_failure(self) -> None:
        """Count a failed attempt, which doubles the bound."""
        self.attempt += 1

    def delay(self) -> float:
        """Draw the seconds to wait before the next attempt."""
        bound = min(self._maximum, self._base * 2 ** min(self.attempt, MAX_EXPONENT))
        return self._random.uniform(min(MIN_DELAY_SECONDS, bound), bound)

    def reset(self) -> None:
        """Reset to the shortest delay after a successful attempt."""
        self.attempt = 0

    async def wait(self) -> None:
        """Count a failed attempt and sleep until the next one."""
        self.record_failure()
        await asyncio.sleep(self.delay())
