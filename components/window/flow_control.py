"""How fast a window takes its frames, told by the window itself: a slow one is sent fewer, never a queue of them."""

import time
from collections import deque
from collections.abc import Callable
from enum import StrEnum

ACK_INTERVAL_SECONDS = 0.5
SLOW_ACK_INTERVAL_SECONDS = 0.1
ACK_TIMEOUT = 0.25
"""A frame that has not been acked for this long, in seconds, holds up the next ones."""
SLOW_ROUND_TRIP_SECONDS = 0.15
"""A round trip of more than this is a slow window's; its frames keep half a round trip apart."""
MAX_INTERVAL_SECONDS = 2.0
RATE_WINDOW_SECONDS = 5.0


class Quality(StrEnum):
    """How well a window keeps up."""

    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"


class FlowControl:
    """Now and then a frame carries a number, the probe, which the window sends back once it has acked that frame.

    Its round trip says how far behind the window is, be it for a thin line or a busy machine. While a probe is overdue
    nothing is sent; what changes meanwhile is one frame later on, and the newest value wins.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.round_trip: float | None = None
        self._clock = clock
        self._number = 0
        self._requested_at: float | None = None
        self._next_request_at = float("-inf")
        self._frames: deque[float] = deque(maxlen=512)

    def request_ack(self) -> int | None:
        """To be called for each frame: the number to send with it, None when no answer is wanted now."""
        now = self._clock()
        self._frames.append(now)
        if self._requested_at is not None or now < self._next_request_at:
            return None
        self._number += 1
        self._requested_at = now
        return self._number

    def acked(self, number: object) -> bool:
        """The window sent a number back; returns whether it is the one that is waited for."""
        if number != self._number or self._requested_at is None:
            return False
        now = self._clock()
        self.round_trip = now - self._requested_at
        self._requested_at = None
        self._next_request_at = now + (
            SLOW_ACK_INTERVAL_SECONDS if self.round_trip > SLOW_ROUND_TRIP_SECONDS else ACK_INTERVAL_SECONDS
        )
        return True

    def reset(self) -> None:
        """The window came anew: whatever was under way is lost or irrelevant."""
        self._requested_at = None
        self._next_request_at = float("-inf")

    @property
    def is_blocked(self) -> bool:
        """Whether nothing more is to be sent until the window has answered."""
        return self._requested_at is not None and self._clock() - self._requested_at > ACK_TIMEOUT

    @property
    def interval(self) -> float:
        """Seconds to keep between two frames; none for a window that keeps up."""
        return (
            min(MAX_INTERVAL_SECONDS, self.round_trip / 2)
            if self.round_trip and self.round_trip > SLOW_ROUND_TRIP_SECONDS
            else 0.0
        )

    @property
    def frame_rate(self) -> float:
        """Frames a second over the last seconds."""
        since = self._clock() - RATE_WINDOW_SECONDS
        return sum(1 for at in self._frames if at >= since) / RATE_WINDOW_SECONDS

    @property
    def quality(self) -> Quality | None:
        """How well the window keeps up; None before the first answer."""
        waited = self._clock() - self._requested_at if self._requested_at is not None else 0.0
        behind = max(self.round_trip or 0.0, waited)
        if self.round_trip is None and behind <= SLOW_ROUND_TRIP_SECONDS:
            return None
        return Quality.GOOD if behind <= SLOW_ROUND_TRIP_SECONDS else Quality.FAIR if behind <= 1.0 else Quality.POOR
