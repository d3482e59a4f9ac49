"""The pace of frames, in virtual time."""

import asyncio

import pytest

from components.window.frame_scheduler import (
    BUSY_LOOP_BUDGET,
    CROWD_HALF_LIFE_SECONDS,
    EVENT_LOOP_BUDGET,
    LATENESS_SECONDS,
    MAX_FRAME_RATE,
    MAX_FRAME_SECONDS,
    MIN_FRAME_SECONDS,
    SOCKET_COST_FACTOR,
    FrameScheduler,
    ScheduledFlush,
)
from tests.clock import Clock
from tests.virtual_time import run

MEASURED = 0.004 / SOCKET_COST_FACTOR
"""Seconds of a flush that costs 4 ms in all."""


def test_without_load_the_interval_is_the_shortest() -> None:
    scheduler = FrameScheduler()
    assert scheduler.frame_interval == MIN_FRAME_SECONDS
    scheduler.record_cost(0.0001)
    assert scheduler.frame_interval == MIN_FRAME_SECONDS


def test_the_interval_keeps_all_flushes_within_half_of_an_idle_loop() -> None:
    """Frames that cost 4 ms each in all take half of the loop when one window has 1 in 8 ms."""
    scheduler = FrameScheduler()
    for _ in range(100):
        scheduler.record_cost(MEASURED)
    assert scheduler.frame_interval == pytest.approx(0.008, rel=0.01)
    scheduler.busy_windows = 10
    assert scheduler.frame_interval == pytest.approx(0.08, rel=0.01)
    scheduler.busy_windows = 100
    assert scheduler.frame_interval == MAX_FRAME_SECONDS


def test_many_windows_share_the_frames_that_a_person_can_tell_apart() -> None:
    clock = Clock(0.0)
    scheduler = FrameScheduler(clock)
    for _ in range(50):
        scheduler.enter()
    assert scheduler.frame_interval == pytest.approx(50 / MAX_FRAME_RATE)
    for _ in range(49):
        scheduler.leave()
    assert scheduler.frame_interval == pytest.approx(50 / MAX_FRAME_RATE), "the others were flushed just now"
    clock.now += CROWD_HALF_LIFE_SECONDS
    assert scheduler.frame_interval == pytest.approx(25 / MAX_FRAME_RATE)
    clock.now += 10 * CROWD_HALF_LIFE_SECONDS
    assert scheduler.frame_interval == MIN_FRAME_SECONDS


def test_a_late_loop_leaves_the_frames_a_tenth() -> None:
    scheduler = FrameScheduler()
    for _ in range(100):
        scheduler.record_cost(MEASURED)
        scheduler.record_lateness(LATENESS_SECONDS)
    assert scheduler.budget == pytest.approx(EVENT_LOOP_BUDGET)
    for _ in range(100):
        scheduler.record_lateness(2 * LATENESS_SECONDS)
    assert scheduler.budget == pytest.approx(EVENT_LOOP_BUDGET / 2, rel=0.01)
    for _ in range(100):
        scheduler.record_lateness(1.0)
    assert scheduler.budget == BUSY_LOOP_BUDGET
    assert scheduler.frame_interval == pytest.approx(0.04, rel=0.01)


def test_the_cost_is_a_moving_average() -> None:
    scheduler = FrameScheduler()
    scheduler.record_cost(25 * MEASURED)
    assert scheduler.frame_interval == pytest.approx(0.04)
    scheduler.record_cost(25 * MEASURED)
    assert scheduler.frame_interval == pytest.approx(0.072)
    for _ in range(100):
        scheduler.record_cost(0)
    assert scheduler.frame_interval == MIN_FRAME_SECONDS


def test_flushes_record_what_they_cost_and_how_late_they_began() -> None:
    async def work() -> None:
        clock = Clock(0.0)
        scheduler = FrameScheduler(clock)

        def flush() -> None:
            clock.now += 15 * MEASURED

        flushes = [ScheduledFlush(scheduler, flush) for _ in range(5)]
        for _ in range(50):
            for each in flushes:
                each.schedule()
            await asyncio.sleep(1)
        for each in flushes:
            each.schedule()
        assert scheduler.budget == EVENT_LOOP_BUDGET, "nothing else runs in virtual time"
        assert scheduler.frame_interval == MAX_FRAME_SECONDS

    run(work())


def test_a_busy_period_is_flushed_at_the_interval_of_the_scheduler() -> None:
    async def work() -> None:
        clock = Clock(0.0)
        scheduler = FrameScheduler(clock)
        times: list[float] = []

        def send() -> None:
            clock.now += MEASURED
            times.append(asyncio.get_running_loop().time())

        flush = ScheduledFlush(scheduler, send)
        for _ in range(100):
            scheduler.record_cost(MEASURED)
        for _ in range(1000):
            flush.schedule()
            flush.schedule()
            await asyncio.sleep(0.001)
        assert len(times) == pytest.approx(1 / 0.008, abs=5)

    run(work())


def test_an_idle_window_is_flushed_at_once() -> None:
    async def work() -> None:
        times: list[float] = []
        flush = ScheduledFlush(FrameScheduler(), lambda: times.append(asyncio.get_running_loop().time()))
        await asyncio.sleep(1)
        flush.schedule()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert times == [pytest.approx(1)]

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
