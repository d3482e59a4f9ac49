"""The rate limiter, on a clock of our own."""

import pytest

from services.infra import rate_limiter as module
from services.infra.rate_limiter import Rate, RateLimiter
from tests.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(100.0)


@pytest.fixture
def limiter(clock: Clock) -> RateLimiter[str]:
    return RateLimiter(Rate(per_second=2, burst=3), clock=clock)


def taken(limiter: RateLimiter[str], key: str = "a") -> int:
    """How many tokens the key can take now."""
    count = 0
    while limiter.acquire(key) == 0:
        count += 1
    return count


def test_a_burst_is_allowed_and_then_the_wait_is_named(limiter: RateLimiter[str]) -> None:
    assert taken(limiter) == 3
    assert limiter.acquire("a") == pytest.approx(0.5)


def test_a_key_refills_at_its_rate(limiter: RateLimiter[str], clock: Clock) -> None:
    taken(limiter)
    clock.now += 0.25
    assert limiter.acquire("a") == pytest.approx(0.25)
    clock.now += 0.25
    assert limiter.acquire("a") == 0
    assert limiter.acquire("a") == pytest.approx(0.5)


def test_a_refused_attempt_does_not_delay_the_next_token(limiter: RateLimiter[str], clock: Clock) -> None:
    taken(limiter)
    for _ in range(4):
        clock.now += 0.125
        limiter.acquire("a")
    assert taken(limiter) == 0
    clock.now += 0.5
    assert taken(limiter) == 1


def test_quiet_never_saves_more_than_the_burst(limiter: RateLimiter[str], clock: Clock) -> None:
    taken(limiter)
    clock.now += 3600
    assert taken(limiter) == 3


def test_keys_do_not_share_tokens(limiter: RateLimiter[str]) -> None:
    taken(limiter, "a")
    assert taken(limiter, "b") == 3


def test_a_refund_gives_one_token_back_and_keeps_the_refill(limiter: RateLimiter[str], clock: Clock) -> None:
    taken(limiter)
    limiter.refund("a")
    assert taken(limiter) == 1
    clock.now += 0.5
    limiter.refund("a")
    assert taken(limiter) == 2


def test_refunds_never_give_more_than_the_burst(limiter: RateLimiter[str]) -> None:
    limiter.acquire("a")
    limiter.refund("a")
    limiter.refund("a")
    limiter.refund("unknown")
    assert taken(limiter) == 3


def test_full_buckets_are_forgotten_and_others_kept(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEYS", 2)
    limiter: RateLimiter[str] = RateLimiter(Rate(per_second=1, burst=2), clock=clock)
    limiter.acquire("old")
    clock.now += 5
    taken(limiter, "empty")
    limiter.acquire("new")
    assert set(limiter._buckets) == {"empty", "new"}
    assert limiter.acquire("empty") > 0
    limiter.acquire("new")
    assert set(limiter._buckets) == {"empty", "new"}
