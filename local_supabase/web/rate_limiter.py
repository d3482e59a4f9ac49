"""Rate limits: a sliding window per key, and an average over ticks."""

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable

MAX_KEYS = 10_000


class RateLimiter:
    """Sliding window: at most `limit` acquisitions per key within the last `window` seconds.

    Keeps the `MAX_KEYS` most recently used keys.
    """

    def __init__(self, limit: int, window: float, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._window = window
        self._clock = clock
        self._acquired: OrderedDict[Hashable, deque[float]] = OrderedDict()

    def acquire(self, key: Hashable = None) -> bool:
        """Count one event; return False, without counting it, if the limit is reached."""
        now = self._clock()
        times = self._acquired.setdefault(key, deque())
        self._acquired.move_to_end(key)
        while len(self._acquired) > MAX_KEYS:
            self._acquired.popitem(last=False)
        while times and now - times[0] > self._window:
            times.popleft()
        if len(times) >= self._limit:
            return False
        times.append(now)
        return True

    def reset(self, key: Hashable = None) -> None:
        """Forget the acquisitions of a key."""
        self._acquired.pop(key, None)


class AverageRateLimiter:
    """Average rate: events per second over the last minute, in ticks of five seconds, as hosted Realtime counts.

    The limit is evaluated at the end of each tick, so a burst within one tick passes.
    """

    TICK_SECONDS = 5.0
    MAX_TICKS = 12

    def __init__(self, limit: float, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._clock = clock
        self._tick_began = clock()
        self._count = 0
        self._past_counts: deque[int] = deque(maxlen=self.MAX_TICKS)
        self._exceeded = False

    def acquire(self) -> bool:
        """Count one event; return False while the average exceeds the limit."""
        ticks = int((self._clock() - self._tick_began) / self.TICK_SECONDS)
        if ticks:
            self._past_counts.append(self._count)
            self._past_counts.extend([0] * min(ticks - 1, self.MAX_TICKS))
            self._tick_began += ticks * self.TICK_SECONDS
            self._count = 0
            average = sum(self._past_counts) / (len(self._past_counts) * self.TICK_SECONDS)
            self._exceeded = average > self._limit
        self._count += 1
        return not self._exceeded
