"""What a feed counts: events, how many a second, and how long the way from the database takes."""

import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

RATE_WINDOW_SECONDS = 60
MAX_LAGS = 120
"""Of a probe every five seconds: ten minutes."""


LAG_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds of the lags that are counted together, in seconds; what is longer is counted beyond the last."""


@dataclass(slots=True, kw_only=True)
class Totals:
    """What all feeds of the process have counted, those that are gone too. `lags` has one count more than bounds."""

    events: int = 0
    losses: int = 0
    missed_probes: int = 0
    quarantined: int = 0
    lags: list[int] = field(default_factory=lambda: [0] * (len(LAG_BOUNDS) + 1))
    lag_seconds: float = 0.0


class Meter:
    """Counts cost next to nothing; the figures are computed when somebody asks. Counts into `totals` as well."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, totals: Totals | None = None) -> None:
        self.events = 0
        self.missed_probes = 0
        self._totals = totals or Totals()
        self.last_event_at: datetime | None = None
        self._clock = clock
        self._began = clock()
        self._seconds: deque[tuple[int, int]] = deque(maxlen=RATE_WINDOW_SECONDS + 1)
        self._lags: deque[float] = deque(maxlen=MAX_LAGS)

    def arrived(self) -> None:
        """Count an event."""
        self.events += 1
        self._totals.events += 1
        self.last_event_at = datetime.now(UTC)
        second = int(self._clock())
        if self._seconds and self._seconds[-1][0] == second:
            self._seconds[-1] = (second, self._seconds[-1][1] + 1)
        else:
            self._seconds.append((second, 1))

    def proved(self, lag: float) -> None:
        """Note how long a probe took to come back, in seconds."""
        self._lags.append(lag)
        self._totals.lags[bisect_left(LAG_BOUNDS, lag)] += 1
        self._totals.lag_seconds += lag

    def missed(self) -> None:
        """Note that a probe did not come back."""
        self.missed_probes += 1
        self._totals.missed_probes += 1

    def lost(self) -> None:
        """Note that a channel that was joined is so no more."""
        self._totals.losses += 1

    @property
    def rate(self) -> float:
        """Events a second over the last minute, or since the beginning when that is less."""
        now = self._clock()
        recent = sum(count for second, count in self._seconds if second >= now - RATE_WINDOW_SECONDS)
        return recent / max(1.0, min(RATE_WINDOW_SECONDS, now - self._began))

    def lag(self, share: float) -> float | None:
        """The lag in seconds that this share (0 to 1) of the last probes kept within; None before the first."""
        lags = sorted(self._lags)
        return lags[min(len(lags) - 1, int(share * len(lags)))] if lags else None
