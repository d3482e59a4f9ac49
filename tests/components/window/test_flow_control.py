"""How a window's acknowledgements set how often it is sent something."""

import heapq
from dataclasses import dataclass, field

import pytest

from components.window.flow_control import (
    ACK_INTERVAL_SECONDS,
    INITIAL_CAPACITY,
    QUEUE_TARGET_SECONDS,
    SILENCE_SECONDS,
    FlowControl,
    Quality,
)
from tests.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(100.0)


@pytest.fixture
def flow(clock: Clock) -> FlowControl:
    return FlowControl(clock)


def asked(flow: FlowControl, size: int = 100) -> int | None:
    number = flow.next_ack()
    flow.sent(size, number)
    return number


def answered(flow: FlowControl, clock: Clock, seconds: float) -> None:
    clock.now += ACK_INTERVAL_SECONDS
    number = asked(flow)
    assert number is not None
    clock.now += seconds
    assert flow.acked(number)


@dataclass
class Line:
    """A connection with a rate in bytes per second, a delay each way in seconds, and a queue without end."""

    clock: Clock
    flow: FlowControl
    rate: float
    delay: float
    gaps: list[float] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    """Seconds from sending to applying of each frame."""
    acks: list[tuple[float, int]] = field(default_factory=list)
    free_at: float = 0.0
    sent_at: float = 0.0
    pending: float = 0.0

    def run(self, seconds: float, *, rows_per_second: float = 100, row_bytes: int = 120) -> None:
        """Change rows, and send a frame with the changed ones as soon as the flow control allows."""
        end, tick = self.clock.now + seconds, 0.005
        while self.clock.now < end:
            while self.acks and self.acks[0][0] <= self.clock.now:
                self.flow.acked(heapq.heappop(self.acks)[1])
            self.pending += rows_per_second * tick
            since = self.clock.now - self.sent_at
            if self.pending >= 1 and not self.flow.is_blocked() and since >= 0.0099:
                self.gaps.append(since)
                self._send(60 + min(self.pending, 100) * row_bytes)
                self.pending, self.sent_at = 0.0, self.clock.now
            self.clock.now += tick

    def _send(self, size: float) -> None:
        self.free_at = max(self.free_at, self.clock.now) + size / self.rate
        self.ages.append(self.free_at + self.delay - self.clock.now)
        id = self.flow.next_ack()
        self.flow.sent(int(size), id)
        if id is not None:
            heapq.heappush(self.acks, (self.free_at + 2 * self.delay, id))


def test_a_quick_window_is_never_held_up(flow: FlowControl, clock: Clock) -> None:
    line = Line(clock, flow, rate=10e6, delay=0.01)
    line.run(20)
    assert not flow.is_blocked()
    assert flow.quality is Quality.GOOD
    assert max(line.gaps[1:]) < 0.02
    assert flow.frame_rate == pytest.approx(100, rel=0.1)


def test_a_quick_window_far_away_is_not_slow(flow: FlowControl, clock: Clock) -> None:
    line = Line(clock, flow, rate=10e6, delay=0.2)
    line.run(20)
    assert max(line.gaps[1:]) < 0.25, "several frames are in flight"
    assert flow.frame_rate == pytest.approx(100, rel=0.1)
    assert flow.quality is Quality.FAIR


@pytest.mark.parametrize("rate", [2_000.0, 8_000.0, 30_000.0])
@pytest.mark.parametrize("delay", [0.02, 0.2, 0.5])
def test_a_narrow_line_is_used_and_does_not_queue_up(
    flow: FlowControl, clock: Clock, rate: float, delay: float
) -> None:
    line = Line(clock, flow, rate, delay)
    line.run(30, rows_per_second=1000)
    line.gaps.clear()
    line.ages.clear()
    line.run(30, rows_per_second=1000)
    largest = (60 + 100 * 120) / rate
    assert sum(line.ages) / len(line.ages) < delay + 4 * largest + QUEUE_TARGET_SECONDS
    assert len(line.ages) * largest > 0.4 * 30, "the line is in use"
    assert max(line.gaps) <= 2 * delay + 4 * largest + 0.1, "it never stops while acknowledgements arrive"


def test_a_line_that_becomes_narrow_and_wide_again(flow: FlowControl, clock: Clock) -> None:
    line = Line(clock, flow, rate=10e6, delay=0.01)
    line.run(10)
    line.rate = 8_000.0
    line.run(20)
    assert flow.capacity < INITIAL_CAPACITY / 4
    line.rate = 10e6
    line.run(20)
    assert flow.quality is Quality.GOOD


def test_a_quick_window_is_asked_seldom(flow: FlowControl, clock: Clock) -> None:
    answered(flow, clock, 0.02)
    clock.now += ACK_INTERVAL_SECONDS - 0.03
    assert asked(flow) is None
    clock.now += 0.02
    assert asked(flow) is not None


def test_nothing_is_sent_after_a_long_silence(flow: FlowControl, clock: Clock) -> None:
    answered(flow, clock, 0.02)
    clock.now += ACK_INTERVAL_SECONDS
    assert asked(flow) == 2
    waited = 0.0
    while not flow.is_blocked():
        clock.now += 0.1
        waited += 0.1
        assert waited < 10
    assert waited > SILENCE_SECONDS
    assert flow.acked(2)
    assert not flow.is_blocked()


def test_no_more_than_the_capacity_is_in_flight(flow: FlowControl, clock: Clock) -> None:
    numbers = []
    while not flow.is_blocked():
        numbers.append(asked(flow, 1000))
        assert len(numbers) < 1000
    assert len(numbers) * 1000 == pytest.approx(INITIAL_CAPACITY, abs=1000)
    newest = max(number for number in numbers if number is not None)
    assert newest >= 3, "acknowledgements make room before all of it is used"
    assert flow.acked(newest), "the newest counts for all before it"
    assert not flow.is_blocked()
    assert not flow.acked(newest - 1)


def test_a_large_frame_does_not_block_the_next_one(flow: FlowControl, clock: Clock) -> None:
    assert asked(flow, 10 * INITIAL_CAPACITY) == 1
    assert not flow.is_blocked()
    asked(flow, 100)
    assert flow.is_blocked()
    assert flow.acked(1)
    assert not flow.is_blocked()


@pytest.mark.parametrize(
    ("round_trip", "quality"), [(0.1, Quality.GOOD), (0.4, Quality.FAIR), (1.5, Quality.POOR), (30.0, Quality.POOR)]
)
def test_the_quality_follows_the_round_trip(
    flow: FlowControl, clock: Clock, round_trip: float, quality: Quality
) -> None:
    answered(flow, clock, round_trip)
    assert flow.round_trip == pytest.approx(round_trip)
    assert flow.quality is quality


def test_a_window_that_does_not_answer_is_poor_before_it_does(flow: FlowControl, clock: Clock) -> None:
    assert flow.quality is None
    asked(flow)
    assert flow.quality is None
    clock.now += 5.0
    assert flow.quality is Quality.POOR


@pytest.mark.parametrize("number", [0, 2, -1, "1", None, [], {}, 1.5, True, "x", float("nan")])
def test_an_answer_that_was_not_asked_for_changes_nothing(flow: FlowControl, clock: Clock, number: object) -> None:
    assert asked(flow) == 1
    clock.now += 10.0
    assert not flow.acked(number)
    assert flow.acked(1)
    assert not flow.acked(1), "nor is one that came before"


def test_a_window_that_came_anew_owes_no_answer(flow: FlowControl, clock: Clock) -> None:
    asked(flow)
    clock.now += 10.0
    flow.reset()
    assert not flow.is_blocked()
    assert asked(flow) == 2


def test_the_frame_rate_is_that_of_the_last_seconds(flow: FlowControl, clock: Clock) -> None:
    for _ in range(100):
        clock.now += 0.1
        asked(flow)
    assert flow.frame_rate == pytest.approx(10, rel=0.05)
    clock.now += 60.0
    assert flow.frame_rate == 0.0
