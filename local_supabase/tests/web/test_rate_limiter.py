"""The rate limiters, with a clock of the test's own."""

from local_supabase.web.rate_limiter import MAX_KEYS, AverageRateLimiter, RateLimiter


def test_a_rate_is_an_average_over_ticks() -> None:
    now = 0.0
    rate = AverageRateLimiter(100, lambda: now)
    assert all(rate.acquire() for _ in range(2000)), "a burst within the first tick passes"
    now = 5.0
    assert not rate.acquire(), "2000 in five seconds are more than 100 per second"
    now = 60.0
    assert rate.acquire(), "averaged over a minute they are not"


def test_a_window_slides() -> None:
    now = 0.0
    window = RateLimiter(2, 10, lambda: now)
    assert [window.acquire() for _ in range(3)] == [True, True, False]
    now = 11.0
    assert window.acquire()


def test_keys_are_limited_separately_and_a_reset_forgets_one() -> None:
    limiter = RateLimiter(1, 10, lambda: 0.0)
    assert [limiter.acquire("a"), limiter.acquire("b"), limiter.acquire("a")] == [True, True, False]
    limiter.reset("a")
    assert [limiter.acquire("a"), limiter.acquire("b")] == [True, False]


def test_a_refused_event_does_not_extend_the_window() -> None:
    now = 0.0
    limiter = RateLimiter(1, 10, lambda: now)
    limiter.acquire()
    now = 9.0
    assert not limiter.acquire()
    now = 11.0
    assert limiter.acquire()


def test_the_longest_unused_keys_are_forgotten() -> None:
    limiter = RateLimiter(1, 10, lambda: 0.0)
    for key in range(MAX_KEYS + 1):
        assert limiter.acquire(key)
    assert limiter.acquire(0), "forgotten"
    assert not limiter.acquire(MAX_KEYS), "kept"
