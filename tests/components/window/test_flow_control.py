"""How a window's answers set how often it is sent something."""

import pytest

from components.window.flow_control import (
    ACK_INTERVAL_SECONDS,
    ACK_TIMEOUT,
    MAX_INTERVAL_SECONDS,
    SLOW_ACK_INTERVAL_SECONDS,
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


def answered(flow: FlowControl, clock: Clock, seconds: float) -> None:
    number = flow.request_ack()
    assert number is not None
    clock.now += seconds
    assert flow.acked(number)


def test_a_quick_window_is_never_held_up(flow: FlowControl, clock: Clock) -> None:
    answered(flow, clock, 0.02)
    assert flow.interval == 0.0
    assert not flow.is_blocked
    assert flow.quality is Quality.GOOD
    assert flow.round_trip == pytest.approx(0.02)


def test_a_quick_window_is_asked_seldom_and_a_slow_one_often(flow: FlowControl, clock: Clock) -> None:
    answered(flow, clock, 0.02)
    clock.now += ACK_INTERVAL_SECONDS - 0.01
    assert flow.request_ack() is None
    clock.now += 0.02
    answered(flow, clock, 0.8)
    assert flow.request_ack() is None
    clock.now += SLOW_ACK_INTERVAL_SECONDS
    assert flow.request_ack() is not None


def test_while_an_answer_is_overdue_nothing_is_sent(flow: FlowControl, clock: Clock) -> None:
    number = flow.request_ack()
    clock.now += ACK_TIMEOUT - 0.01
    assert not flow.is_blocked
    assert flow.request_ack() is None, "one question at a time"
    clock.now += 0.02
    assert flow.is_blocked
    assert flow.acked(number)
    assert not flow.is_blocked


@pytest.mark.parametrize(
    ("round_trip", "interval", "quality"),
    [
        (0.1, 0.0, Quality.GOOD),
        (0.4, 0.2, Quality.FAIR),
        (1.5, 0.75, Quality.POOR),
        (30.0, MAX_INTERVAL_SECONDS, Quality.POOR),
    ],
)
def test_the_slower_the_answer_the_fewer_the_frames(
    flow: FlowControl, clock: Clock, round_trip: float, interval: float, quality: Quality
) -> None:
    answered(flow, clock, round_trip)
    assert flow.interval == pytest.approx(interval)
    assert flow.quality is quality


def test_a_window_that_does_not_answer_is_poor_before_it_does(flow: FlowControl, clock: Clock) -> None:
    assert flow.quality is None
    flow.request_ack()
    assert flow.quality is None
    clock.now += 5.0
    assert flow.quality is Quality.POOR


def test_a_window_that_recovers_is_quick_again(flow: FlowControl, clock: Clock) -> None:
    answered(flow, clock, 3.0)
    clock.now += SLOW_ACK_INTERVAL_SECONDS
    answered(flow, clock, 0.01)
    assert flow.interval == 0.0
    assert flow.quality is Quality.GOOD


@pytest.mark.parametrize("number", [0, 2, -1, "1", None, [], {}, 1.5])
def test_an_answer_that_was_not_asked_for_changes_nothing(flow: FlowControl, clock: Clock, number: object) -> None:
    assert flow.request_ack() == 1
    clock.now += 1.0
    assert not flow.acked(number)
    assert flow.is_blocked
    assert flow.acked(1)
    assert not flow.acked(1), "nor is one that came before"


def test_a_window_that_came_anew_owes_no_answer(flow: FlowControl, clock: Clock) -> None:
    flow.request_ack()
    clock.now += 10.0
    flow.reset()
    assert not flow.is_blocked
    assert flow.request_ack() == 2


def test_the_frame_rate_is_that_of_the_last_seconds(flow: FlowControl, clock: Clock) -> None:
    for _ in range(100):
        clock.now += 0.1
        flow.request_ack()
    assert flow.frame_rate == pytest.approx(10, rel=0.05)
    clock.now += 60.0
    assert flow.frame_rate == 0.0
