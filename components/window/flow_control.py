"""Flow control of one window: how much may be on its way, by how long it takes."""

import time
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

ACK_INTERVAL_SECONDS = 0.5
"""Time between two requests for an acknowledgement by a window that keeps up."""
INITIAL_CAPACITY = 65_536
MIN_CAPACITY = 512
MAX_CAPACITY = 1_048_576
"""Bounds of the characters that may be in flight."""
MIN_FRAMES = 2
"""Frames that may be in flight in any case: one on its way, and the next, which is then not late."""
QUEUE_TARGET_SECONDS = 0.1
"""Time that a frame may wait in network and browser, beyond the shortest round trip."""
DECREASE = 0.6
INCREASE = 1.5
SILENCE_SECONDS = 3.0
"""Time without an acknowledgement, in addition to four round trips, after which nothing is sent."""
MINIMUM_PERIOD_SECONDS = 10.0
"""The shortest round trip is that of the last one or two of these periods."""
SLOW_ROUND_TRIP_SECONDS = 0.15
POOR_ROUND_TRIP_SECONDS = 1.0
RATE_WINDOW_SECONDS = 5.0


class Quality(StrEnum):
    """How well a window keeps up."""

    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"


class Request(NamedTuple):
    """A requested acknowledgement, and the sums of what was sent up to its frame."""

    id: int
    sent_at: float
    size: int
    frames: int


class FlowControl:
    """Limits what is in flight to a window as transport protocols do, by the growth of the round trip.

    Some frames carry an id that the browser sends back once it has applied them, and with them all earlier ones. A
    round trip is longer than the shortest one by the time that the frame waited, in the network or for the browser.
    While frames wait for too long less may be in flight, and more again when they do not. Each frame has the newest
    values of all rows that changed since the one before, so that waiting loses nothing, and the next one leaves with
    the acknowledgement that makes room for it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.round_trip: float | None = None
        """Seconds of the last round trip; None before the first acknowledgement."""
        self.capacity = INITIAL_CAPACITY
        """Characters that may be in flight."""
        self._clock = clock
        self._ack_id = 0
        self._requests: deque[Request] = deque()
        self._requested_at = float("-inf")
        self._sent_size = self._sent_frames = 0
        self._asked_size = 0
        self._acked_size = self._acked_frames = 0
        self._decreased_at = float("-inf")
        self._minimum = self._minimum_before = float("inf")
        self._minimum_since = float("-inf")
        self._frames: deque[float] = deque(maxlen=512)

    def next_ack(self) -> int | None:
        """Return the id to send with the next frame; None when no acknowledgement is needed now."""
        since_asked = self._sent_size - self._asked_size
        is_due = self._clock() - self._requested_at >= ACK_INTERVAL_SECONDS or since_asked >= self.capacity / 4
        return self._ack_id + 1 if is_due or self.capacity < INITIAL_CAPACITY / 4 else None

    def sent(self, size: int, ack_id: int | None) -> None:
        """Count a frame of `size` characters that was sent with `ack_id`."""
        now = self._clock()
        self._frames.append(now)
        self._sent_size += size
        self._sent_frames += 1
        if ack_id is not None:
            self._ack_id, self._requested_at, self._asked_size = ack_id, now, self._sent_size
            self._requests.append(Request(ack_id, now, self._sent_size, self._sent_frames))

    def acked(self, ack_id: object) -> bool:
        """Record an acknowledgement; returns whether it is an outstanding one. The id may be anything."""
        if type(ack_id) is not int or all(each.id != ack_id for each in self._requests):
            return False
        now = self._clock()
        request = self._requests.popleft()
        while request.id != ack_id:
            request = self._requests.popleft()
        in_flight = self._sent_size - self._acked_size
        self._acked_size, self._acked_frames = request.size, request.frames
        self.round_trip = now - request.sent_at
        self._note_minimum(self.round_trip, now)
        queued = self.round_trip - self._shortest
        if queued > QUEUE_TARGET_SECONDS:
            self._decrease(now)
        elif queued < QUEUE_TARGET_SECONDS / 2 and in_flight >= self.capacity / 2:
            self.capacity = min(MAX_CAPACITY, int(self.capacity * INCREASE))
        return True

    def reset(self) -> None:
        """Forget what is in flight: the browser has connected anew."""
        self._requests.clear()
        self._requested_at = float("-inf")
        self._acked_size, self._acked_frames = self._sent_size, self._sent_frames
        self.capacity = INITIAL_CAPACITY

    def is_blocked(self) -> bool:
        """Return whether the next frame must wait for an acknowledgement; lowers the capacity while one is overdue."""
        now = self._clock()
        waited = self._waited(now)
        if waited > self._shortest + 2 * QUEUE_TARGET_SECONDS:
            self._decrease(now)
        if waited > SILENCE_SECONDS + 4 * self._shortest:
            return True
        frames, size = self._sent_frames - self._acked_frames, self._sent_size - self._acked_size
        return bool(self._requests) and frames >= MIN_FRAMES and size >= self.capacity

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
        return max(self.round_trip or 0.0, self._waited(self._clock()))

    @property
    def _shortest(self) -> float:
        shortest = min(self._minimum, self._minimum_before)
        return 0.0 if shortest == float("inf") else shortest

    def _waited(self, now: float) -> float:
        """Seconds since the oldest outstanding acknowledgement was requested; 0 without one."""
        return now - self._requests[0].sent_at if self._requests else 0.0

    def _note_minimum(self, round_trip: float, now: float) -> None:
        if now - self._minimum_since > MINIMUM_PERIOD_SECONDS:
            self._minimum_before, self._minimum, self._minimum_since = self._minimum, float("inf"), now
        self._minimum = min(self._minimum, round_trip)

    def _decrease(self, now: float) -> None:
        """Let less be in flight; once in a round trip at most, since the effect shows only then."""
        if now - self._decreased_at >= max(self.round_trip or 0.0, 2 * QUEUE_TARGET_SECONDS):
            in_flight = min(self.capacity, self._sent_size - self._acked_size)
            self.capacity = max(MIN_CAPACITY, int(max(in_flight, self.capacity / 4) * DECREASE))
            self._decreased_at = now
