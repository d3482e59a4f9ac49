"""Counters of a feed: events, event rate, connections, and the lag from the database."""

import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

RATE_WINDOW_SECONDS = 60
MAX_LAGS = 120
"""Lags that are kept: ten minutes with a probe every five seconds."""
LAG_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds of the histogram of lags, in seconds; longer lags are counted in a last bucket."""


@dataclass(slots=True, kw_only=True)
class Totals:
    """Sums over all feeds of the process, closed ones included; `lags` has one bucket more than `LAG_BOUNDS`."""

    events: int = 0
    losses: int = 0
    missed_probes: int = 0
    quarantined: int = 0
    lags: list[int] = field(default_factory=lambda: [0] * (len(LAG_BOUNDS) + 1))
    lag_seconds: float = 0.0


class Meter:
    """Counts for one feed, and adds to `totals`; rates and percentiles are computed when asked for."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, totals: Totals | None = None) -> None:
        self.events = 0
        self.connections = 0
        self.repaired_rows = 0
        """Rows that a reconcile found different from the table."""
        self.missed_probes = 0
        self.last_event_at: datetime | None = None
        self._totals = totals or Totals()
        self._clock = clock
        self._began = clock()
        self._seconds: deque[tuple[int, int]] = deque(maxlen=RATE_WINDOW_SECONDS + 1)
        self._lags: deque[float] = deque(maxlen=MAX_LAGS)

    def record_event(self) -> None:
        """Count an event that arrived."""
        self.events += 1
        self._totals.events += 1
        self.last_event_at = datetime.now(UTC)
        second = int(self._clock())
        if self._seconds and self._seconds[-1][0] == second:
            self._seconds[-1] = (second, self._seconds[-1][1] + 1)
        else:
            self._seconds.append((second, 1))

    def record_lag(self, lag: float) -> None:
        """Record the seconds that a probe took to come back."""
        self._lags.append(lag)
        self._totals.lags[bisect_left(LAG_BOUNDS, lag)] += 1
        self._totals.lag_seconds += lag

    def record_missed_probe(self) -> None:
        """Count a probe that did not come back."""
        self.missed_probes += 1
        self._totals.missed_probes += 1

    def record_loss(self) -> None:
        """Count a joined channel that was lost."""
        self._totals.losses += 1

    @property
    def reconnects(self) -> int:
        """Connections after the first."""
        return max(0, self.connections - 1)

    @property
    def rate(self) -> float:
        """Events per second over the last minute, or since the beginning if that is shorter."""
        now = self._clock()
        recent = sum(count for second, count in self._seconds if second >= now - RATE_WINDOW_SECONDS)
        return recent / max(1.0, min(RATE_WINDOW_SECONDS, now - self._began))

    def lag(self, quantile: float) -> float | None:
        """The quantile (0 to 1) of the recent lags in seconds; None before the first probe."""
        lags = sorted(self._lags)
        return lags[min(len(lags) - 1, int(quantile * len(lags)))] if lags else None
