"""How fast a window takes its frames, told by the window itself: a slow one is sent fewer, never a queue of them."""

import time
from collections import deque
from collections.abc import Callable
from enum import StrEnum

PROBE_INTERVAL = 0.5
SLOW_PROBE_INTERVAL = 0.1
PATIENCE = 0.25
"""A frame that has not been taken for this long, in seconds, holds up the next ones."""
SLOW = 0.15
"""A round trip of more than this is a slow window's; its frames keep half a round trip apart."""
LONGEST = 2.0
RATE_SECONDS = 5.0


class Quality(StrEnum):
    """How well a window keeps up."""

    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"


class Drain:
    """Now and then a frame carries a number, the probe, which the window sends back once it has taken that frame.

    Its round trip says how far behind the window is, be it for a thin line or a busy machine. While a probe is overdue
    nothing is sent; what changes meanwhile is one frame later on, and the newest value wins.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.round_trip: float | None = None
        self._clock = clock
        self._number = 0
        self._asked_at: float | None = None
        self._probe_at = float("-inf")
        self._frames: deque[float] = deque(maxlen=512)

    def probe(self) -> int | None:
        """To be called for each frame: the number to send with it, None when no answer is wanted now."""
        now = self._clock()
        self._frames.append(now)
        if self._asked_at is not None or now < self._probe_at:
            return None
        self._number += 1
        self._asked_at = now
        return self._number

    def taken(self, number: object) -> bool:
        """The window sent a number back; returns whether it is the one that is waited for."""
        if number != self._number or self._asked_at is None:
            return False
        now = self._clock()
        self.round_trip = now - self._asked_at
        self._asked_at = None
        self._probe_at = now + (SLOW_PROBE_INTERVAL if self.round_trip > SLOW else PROBE_INTERVAL)
        return True

    def forget(self) -> None:
        """The window came anew: whatever was under way is lost or irrelevant."""
        self._asked_at = None
        self._probe_at = float("-inf")

    @property
    def is_full(self) -> bool:
        """Whether nothing more is to be sent until the window has answered."""
        return self._asked_at is not None and self._clock() - self._asked_at > PATIENCE

    @property
    def interval(self) -> float:
        """Seconds to keep between two frames; none for a window that keeps up."""
        return min(LONGEST, self.round_trip / 2) if self.round_trip and self.round_trip > SLOW else 0.0

    @property
    def frame_rate(self) -> float:
        """Frames a second over the last seconds."""
        since = self._clock() - RATE_SECONDS
        return sum(1 for at in self._frames if at >= since) / RATE_SECONDS

    @property
    def quality(self) -> Quality | None:
        """How well the window keeps up; None before the first answer."""
        waited = self._clock() - self._asked_at if self._asked_at is not None else 0.0
        behind = max(self.round_trip or 0.0, waited)
        if self.round_trip is None and behind <= SLOW:
            return None
        return Quality.GOOD if behind <= SLOW else Quality.FAIR if behind <= 1.0 else Quality.POOR
