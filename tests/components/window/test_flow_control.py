"""How a window's answers set how often it is sent something."""

import pytest

from components.window.flow_control import LONGEST, PATIENCE, PROBE_INTERVAL, SLOW_PROBE_INTERVAL, Drain, Quality


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def drain(clock: Clock) -> Drain:
    return Drain(clock)


def answered(drain: Drain, clock: Clock, seconds: float) -> None:
    number = drain.probe()
    assert number is not None
    clock.now += seconds
    assert drain.taken(number)


def test_a_quick_window_is_never_held_up(drain: Drain, clock: Clock) -> None:
    answered(drain, clock, 0.02)
    assert drain.interval == 0.0
    assert not drain.is_full
    assert drain.quality is Quality.GOOD
    assert drain.round_trip == pytest.approx(0.02)


def test_a_quick_window_is_asked_seldom_and_a_slow_one_often(drain: Drain, clock: Clock) -> None:
    answered(drain, clock, 0.02)
    clock.now += PROBE_INTERVAL - 0.01
    assert drain.probe() is None
    clock.now += 0.02
    answered(drain, clock, 0.8)
    assert drain.probe() is None
    clock.now += SLOW_PROBE_INTERVAL
    assert drain.probe() is not None


def test_while_an_answer_is_overdue_nothing_is_sent(drain: Drain, clock: Clock) -> None:
    number = drain.probe()
    clock.now += PATIENCE - 0.01
    assert not drain.is_full
    assert drain.probe() is None, "one question at a time"
    clock.now += 0.02
    assert drain.is_full
    assert drain.taken(number)
    assert not drain.is_full


@pytest.mark.parametrize(
    ("round_trip", "interval", "quality"),
    [(0.1, 0.0, Quality.GOOD), (0.4, 0.2, Quality.FAIR), (1.5, 0.75, Quality.POOR), (30.0, LONGEST, Quality.POOR)],
)
def test_the_slower_the_answer_the_fewer_the_frames(
    drain: Drain, clock: Clock, round_trip: float, interval: float, quality: Quality
) -> None:
    answered(drain, clock, round_trip)
    assert drain.interval == pytest.approx(interval)
    assert drain.quality is quality


def test_a_window_that_does_not_answer_is_poor_before_it_does(drain: Drain, clock: Clock) -> None:
    assert drain.quality is None
    drain.probe()
    clock.now += 5.0
    assert drain.quality is Quality.POOR


def test_a_window_that_recovers_is_quick_again(drain: Drain, clock: Clock) -> None:
    answered(drain, clock, 3.0)
    clock.now += SLOW_PROBE_INTERVAL
    answered(drain, clock, 0.01)
    assert drain.interval == 0.0
    assert drain.quality is Quality.GOOD


@pytest.mark.parametrize("number", [0, 2, -1, "1", None, [], {}, 1.5])
def test_an_answer_that_was_not_asked_for_changes_nothing(drain: Drain, clock: Clock, number: object) -> None:
    assert drain.probe() == 1
    clock.now += 1.0
    assert not drain.taken(number)
    assert drain.is_full
    assert drain.taken(1)
    assert not drain.taken(1), "nor is one that came before"


def test_a_window_that_came_anew_owes_no_answer(drain: Drain, clock: Clock) -> None:
    drain.probe()
    clock.now += 10.0
    drain.forget()
    assert not drain.is_full
    assert drain.probe() == 2


def test_the_frame_rate_is_that_of_the_last_seconds(drain: Drain, clock: Clock) -> None:
    for _ in range(100):
        clock.now += 0.1
        drain.probe()
    assert drain.frame_rate == pytest.approx(10, rel=0.05)
    clock.now += 60.0
    assert drain.frame_rate == 0.0
