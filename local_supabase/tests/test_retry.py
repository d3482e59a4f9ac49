"""Backoff and polling."""

import pytest

from local_supabase.retry import Backoff, poll


async def test_delays_double_up_to_the_maximum_and_exhaust_the_timeout() -> None:
    backoff = Backoff(initial=0.001, maximum=0.004, timeout=0.01, clock=lambda: 0.0)
    delays = []
    while not backoff.exhausted:
        delays.append(backoff.delay)
        await backoff.sleep()
    assert delays == [0.001, 0.002, 0.004, 0.004]


async def test_a_quiet_period_starts_the_delays_over() -> None:
    now = 0.0
    backoff = Backoff(initial=0.001, maximum=0.004, clock=lambda: now)
    await backoff.sleep()
    await backoff.sleep()
    now = 0.003
    assert backoff.delay == 0.004
    now = 0.005
    assert backoff.delay == 0.001


async def test_polling_ends_when_the_condition_holds() -> None:
    answers = iter([False, False, True])
    await poll(lambda: next(answers), every=0.001, within=5)
    assert next(answers, None) is None


async def test_polling_awaits_coroutines_and_times_out() -> None:
    asked = 0

    async def never() -> bool:
        nonlocal asked
        asked += 1
        return False

    with pytest.raises(TimeoutError):
        await poll(never, every=0.001, within=0.05)
    assert asked > 1
