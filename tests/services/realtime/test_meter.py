"""What a feed counts."""

import pytest

from services.realtime.meter import MAX_LAGS, Meter
from tests.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


def test_the_rate_is_that_of_the_last_minute(clock: Clock) -> None:
    meter = Meter(clock)
    for _ in range(120):
        clock.now += 1.0
        for _ in range(3):
            meter.record_event()
    assert meter.rate == pytest.approx(3.0, rel=0.05)
    assert meter.events == 360


def test_the_rate_of_a_young_feed_is_that_since_it_began(clock: Clock) -> None:
    meter = Meter(clock)
    clock.now += 10.0
    for _ in range(50):
        meter.record_event()
    assert meter.rate == pytest.approx(5.0)


def test_a_burst_is_forgotten_after_a_minute(clock: Clock) -> None:
    meter = Meter(clock)
    for _ in range(1000):
        meter.record_event()
    clock.now += 61.0
    assert meter.rate == 0.0
    assert meter.last_event_at is not None


def test_half_of_the_probes_were_faster_than_the_median() -> None:
    meter = Meter()
    assert meter.lag(0.5) is None
    for milliseconds in range(1, 101):
        meter.record_lag(milliseconds / 1000)
    assert meter.lag(0.5) == pytest.approx(0.051)
    assert meter.lag(0.95) == pytest.approx(0.096)
    assert meter.lag(1.0) == pytest.approx(0.1)


def test_only_the_last_probes_count() -> None:
    meter = Meter()
    meter.record_lag(60.0)
    for _ in range(MAX_LAGS):
        meter.record_lag(0.001)
    assert meter.lag(1.0) == pytest.approx(0.001)
