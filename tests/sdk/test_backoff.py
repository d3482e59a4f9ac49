"""The backoff: full jitter under a doubling ceiling, with injected clock and randomness."""

import pytest
from livewatch.delivery.backoff import Backoff

from tests.clock import Clock


def test_each_delay_is_drawn_between_the_minimum_and_a_ceiling_that_doubles_up_to_the_maximum() -> None:
    drawn: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        drawn.append((low, high))
        return low

    backoff = Backoff(min_seconds=0.1, first_seconds=0.5, max_seconds=3.0, uniform=uniform)
    assert [backoff.record_failure() for _ in range(5)] == [0.1] * 5
    assert drawn == [(0.1, 0.5), (0.1, 1.0), (0.1, 2.0), (0.1, 3.0), (0.1, 3.0)]
    backoff.reset()
    backoff.record_failure()
    assert drawn[-1] == (0.1, 0.5)


def test_by_default_the_first_ceiling_is_half_a_second_and_the_last_half_a_minute() -> None:
    backoff = Backoff(uniform=lambda _, high: high)
    assert [backoff.record_failure() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    for _ in range(2_000):
        assert backoff.record_failure() == 30, "also after days, when the power no longer fits a float"
    assert all(0.1 <= Backoff().record_failure() <= 0.5 for _ in range(100))


def test_the_next_attempt_is_scheduled_by_the_clock() -> None:
    clock = Clock(100.0)
    backoff = Backoff(uniform=lambda _, high: high, clock=clock)
    assert backoff.retry_at <= clock()
    backoff.record_failure()
    assert backoff.retry_at == 100.5
    clock.now = 200.0
    assert backoff.record_failure(retry_after=7.0) == 7.0
    assert (backoff.retry_at, backoff.failures) == (207.0, 2)
    backoff.postpone(0.2)
    assert backoff.retry_at == pytest.approx(200.2)
    assert backoff.failures == 2
    backoff.retry_now()
    assert backoff.retry_at <= clock()
    assert backoff.failures == 2
    backoff.record_failure()
    backoff.reset()
    assert backoff.retry_at <= clock()
    assert backoff.failures == 0
