"""The pace of frames, in virtual time."""

import asyncio

import pytest

from components.window.frame_scheduler import MAX_FRAME_SECONDS, MIN_FRAME_SECONDS, FrameScheduler, ScheduledFlush
from tests.virtual_time import run


def test_without_load_the_interval_is_the_shortest() -> None:
    scheduler = FrameScheduler()
    assert scheduler.frame_interval == MIN_FRAME_SECONDS
    scheduler.record_cost(0.0001)
    assert scheduler.frame_interval == MIN_FRAME_SECONDS


def test_the_interval_keeps_all_flushes_within_the_budget() -> None:
    """Frames that cost 2 ms each, sockets included, take a tenth of the loop when one window has 1 in 20 ms."""
    scheduler = FrameScheduler()
    for _ in range(100):
        scheduler.record_cost(0.001)
    assert scheduler.frame_interval == pytest.approx(0.02, rel=0.01)
    scheduler.busy_windows = 10
    assert scheduler.frame_interval == pytest.approx(0.2, rel=0.01)
    scheduler.busy_windows = 100
    assert scheduler.frame_interval == MAX_FRAME_SECONDS


def test_the_cost_is_a_moving_average() -> None:
    scheduler = FrameScheduler()
    scheduler.record_cost(0.01)
    assert scheduler.frame_interval == pytest.approx(0.04)
    scheduler.record_cost(0.01)
    assert scheduler.frame_interval == pytest.approx(0.072)
    for _ in range(100):
        scheduler.record_cost(0)
    assert scheduler.frame_interval == MIN_FRAME_SECONDS


def test_a_busy_period_is_flushed_at_the_interval_of_the_scheduler() -> None:
    async def work() -> None:
        scheduler = FrameScheduler()
        times: list[float] = []
        flush = ScheduledFlush(scheduler, lambda: times.append(asyncio.get_running_loop().time()))
        scheduler.record_cost(0.01)
        for _ in range(1000):
            flush.schedule()
            flush.schedule()
            await asyncio.sleep(0.001)
        assert len(times) == pytest.approx(1 / 0.04, abs=2)

    run(work())


def test_an_idle_window_is_flushed_at_once_and_a_slow_one_at_its_own_pace() -> None:
    async def work() -> None:
        scheduler = FrameScheduler()
        times: list[float] = []
        flush = ScheduledFlush(
            scheduler, lambda: times.append(asyncio.get_running_loop().time()), min_interval=lambda: 0.3
        )
        await asyncio.sleep(1)
        flush.schedule()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert times == [pytest.approx(1)]
        flush.schedule()
        await asyncio.sleep(0.29)
        assert len(times) == 1
        await asyncio.sleep(0.02)
        assert times == [pytest.approx(1), pytest.approx(1.3)]

    run(work())


def test_only_windows_with_a_scheduled_flush_count_as_busy() -> None:
    async def work() -> None:
        scheduler = FrameScheduler()
        flushed: list[int] = []
        flushes = [ScheduledFlush(scheduler, lambda: flushed.append(scheduler.busy_windows)) for _ in range(2)]
        for flush in flushes:
            flush.schedule()
            flush.schedule()
        assert scheduler.busy_windows == 2
        flushes[0].cancel()
        flushes[0].cancel()
        assert scheduler.busy_windows == 1
        await asyncio.sleep(1)
        assert (scheduler.busy_windows, flushed) == (0, [0])

    run(work())
