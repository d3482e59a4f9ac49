"""Slows down guessing: counts failed sign-ins per address and origin."""

from collections import OrderedDict, deque
from collections.abc import Callable

MOST_REMEMBERED = 10_000


class Attempts:
    """At most `limit` failures within `seconds` for one key; a success clears it."""

    def __init__(self, limit: int, seconds: float, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._seconds = seconds
        self._clock = clock
        self._failures: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def begin(self, key: tuple[str, str]) -> bool:
        """Count an attempt before its outcome is known, so that many at once count too; false when it is refused."""
        now = self._clock()
        times = self._failures.setdefault(key, deque())
        self._failures.move_to_end(key)
        while len(self._failures) > MOST_REMEMBERED:
            self._failures.popitem(last=False)
        while times and now - times[0] > self._seconds:
            times.popleft()
        if len(times) >= self._limit:
            return False
        times.append(now)
        return True

    def succeeded(self, key: tuple[str, str]) -> None:
        self._failures.pop(key, None)
