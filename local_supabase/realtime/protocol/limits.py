"""The limits of the Realtime server, with the defaults of a real one; each can be set."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from local_supabase.errors import LocalSupabaseError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Times in seconds, sizes in bytes, rates per second."""

    connections: int = 200
    """Clients with a channel at the same time."""
    channels_per_client: int = 100
    joins_per_second: int = 100
    messages_per_second: int = 100
    """Broadcasts of clients, all together, averaged over up to a minute; those of the database are not counted."""
    presence_calls: int = 5
    """Calls to track or untrack of one channel within `presence_window`."""
    presence_window: float = 30.0
    payload: int = 3_000_000
    """Largest broadcast of a client."""
    idle_timeout: float = 60.0
    """Without a heartbeat or anything else a socket is closed after this."""
    send_timeout: float = 15.0
    """A client that takes nothing for this long is cut."""
    send_buffer: int = 8 * 1024 * 1024
    """A client that lets more than this pile up is cut."""


def limits_of(changed: Mapping[str, float]) -> Limits:
    """The defaults with what is changed by name; raises LocalSupabaseError for a name or value that is not one."""
    kinds = {item.name: item.type for item in fields(Limits)}
    for name, value in changed.items():
        if name not in kinds:
            raise LocalSupabaseError(f"There is no limit '{name}': the limits are {', '.join(kinds)}.")
        if value < 0:
            raise LocalSupabaseError(f"The limit '{name}' cannot be {value}: give a number from 0 on.")
    whole: dict[str, Any] = {name: int(value) if kinds[name] is int else value for name, value in changed.items()}
    return replace(Limits(), **whole)


class Rate:
    """Events per second, averaged over the last ticks; a burst within one tick is not held against anyone."""

    TICK = 5.0
    TICKS = 12

    def __init__(self, limit: float, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._clock = clock
        self._began = clock()
        self._count = 0
        self._past: deque[int] = deque(maxlen=self.TICKS)
        self.exceeded = False

    def count(self) -> bool:
        """Count one event; false while the limit is exceeded."""
        ticks = int((self._clock() - self._began) / self.TICK)
        if ticks:
            self._past.append(self._count)
            self._past.extend([0] * min(ticks - 1, self.TICKS))
            self._began += ticks * self.TICK
            self._count = 0
            self.exceeded = sum(self._past) / (len(self._past) * self.TICK) > self._limit
        self._count += 1
        return not self.exceeded


class Window:
    """At most `limit` events within the last `seconds`."""

    def __init__(self, limit: int, seconds: float, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._seconds = seconds
        self._clock = clock
        self._times: deque[float] = deque()

    def count(self) -> bool:
        """Count one event; false when it is one too many."""
        now = self._clock()
        while self._times and now - self._times[0] > self._seconds:
            self._times.popleft()
        self._times.append(now)
        return len(self._times) <= self._limit
