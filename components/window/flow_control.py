"""Flow control of one window: how fast it takes frames, and when it may be sent the next one."""

import time
from collections import deque
from collections.abc import Callable
from enum import StrEnum

ACK_INTERVAL_SECONDS = 0.5
SLOW_ACK_INTERVAL_SECONDS = 0.1
ACK_TIMEOUT = 0.25
"""Seconds after which an outstanding acknowledgement blocks further frames."""
SLOW_ROUND_TRIP_SECONDS = 0.15
"""Round trip above which a window counts as slow; its frames are kept half a round trip apart."""
POOR_ROUND_TRIP_SECONDS = 1.0
MAX_INTERVAL_SECONDS = 2.0
RATE_WINDOW_SECONDS = 5.0


class Quality(StrEnum):
    """How well a window keeps up."""

    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"


class FlowControl:
    """Requests acknowledgements, measures their round trip, and blocks frames while one is overdue.

    Some frames carry an id that the browser sends back once it has applied them. The round trip includes network and
    browser. While an acknowledgement is overdue no frame is sent; the next one carries the newest value of every row.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.round_trip: float | None = None
        """Seconds of the last round trip; None before the first acknowledgement."""
        self._clock = clock
        self._ack_id = 0
        self._requested_at: float | None = None
        self._next_request_at = float("-inf")
        self._frames: deque[float] = deque(maxlen=512)

    def request_ack(self) -> int | None:
        """Count a frame, and return the id to send with it; None when no acknowledgement is needed now."""
        now = self._clock()
        self._frames.append(now)
        if self._requested_at is not None or now < self._next_request_at:
            return None
        self._ack_id += 1
        self._requested_at = now
        return self._ack_id

    def acked(self, ack_id: object) -> bool:
        """Record an acknowledgement; returns whether it is the outstanding one. The id may be anything."""
        if ack_id != self._ack_id or self._requested_at is None:
            return False
        now = self._clock()
        self.round_trip = now - self._requested_at
        self._requested_at = None
        self._next_request_at = now + (SLOW_ACK_INTERVAL_SECONDS if self._is_slow else ACK_INTERVAL_SECONDS)
        return True

    def reset(self) -> None:
        """Forget the outstanding acknowledgement: the browser has connected anew."""
        self._requested_at = None
        self._next_request_at = float("-inf")

    @property
    def is_blocked(self) -> bool:
        """Whether frames must wait for an overdue acknowledgement."""
        return self._requested_at is not None and self._clock() - self._requested_at > ACK_TIMEOUT

    @property
    def interval(self) -> float:
        """Seconds to keep between two frames; 0 for a window that keeps up."""
        return min(MAX_INTERVAL_SECONDS, self.round_trip / 2) if self.round_trip and self._is_slow else 0.0

    @property
    def delay(self) -> float:
        """Seconds that a frame takes to the window: half of the round trip, as far as it is known."""
        return self._behind / 2

    @property
    def frame_rate(self) -> float:
        """Frames per second over the last `RATE_WINDOW_SECONDS`."""
        since = self._clock() - RATE_WINDOW_SECONDS
        return sum(1 for at in self._frames if at >= since) / RATE_WINDOW_SECONDS

    @property
    def quality(self) -> Quality | None:
        """How well the window keeps up; None before the first acknowledgement."""
        behind = self._behind
        if self.round_trip is None and behind <= SLOW_ROUND_TRIP_SECONDS:
            return None
        if behind <= SLOW_ROUND_TRIP_SECONDS:
            return Quality.GOOD
        return Quality.FAIR if behind <= POOR_ROUND_TRIP_SECONDS else Quality.POOR

    @property
    def _behind(self) -> float:
        waited = self._clock() - self._requested_at if self._requested_at is not None else 0.0
        return max(self.round_trip or 0.0, waited)

    @property
    def _is_slow(self) -> bool:
        return self.round_trip is not None and self.round_trip > SLOW_ROUND_TRIP_SECONDS
