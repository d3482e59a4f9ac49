"""What a feed counts: events, how many a second, and how long the way from the database takes."""

import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

RATE_SECONDS = 60
LAGS_KEPT = 120
"""Of a canary every five seconds: ten minutes."""


class Meter:
    """Counts cost next to nothing; the figures are computed when somebody asks."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.events = 0
        self.last_event_at: datetime | None = None
        self._clock = clock
        self._began = clock()
        self._seconds: deque[tuple[int, int]] = deque(maxlen=RATE_SECONDS + 1)
        self._lags: deque[float] = deque(maxlen=LAGS_KEPT)

    def arrived(self) -> None:
        """Count an event."""
        self.events += 1
        self.last_event_at = datetime.now(UTC)
        second = int(self._clock())
        if self._seconds and self._seconds[-1][0] == second:
            self._seconds[-1] = (second, self._seconds[-1][1] + 1)
        else:
            self._seconds.append((second, 1))

    def proved(self, lag: float) -> None:
        """Note how long a canary took to come back, in seconds."""
        self._lags.append(lag)

    @property
    def rate(self) -> float:
        """Events a second over the last minute, or since the beginning when that is less."""
        now = self._clock()
        recent = sum(count for second, count in self._seconds if second >= now - RATE_SECONDS)
        return recent / max(1.0, min(RATE_SECONDS, now - self._began))

    def lag(self, share: float) -> float | None:
        """The lag in seconds that this share (0 to 1) of the last canaries kept within; None before the first."""
        lags = sorted(self._lags)
        return lags[min(len(lags) - 1, int(share * len(lags)))] if lags else None
