"""Reads after a change: one at a time, once more for what came meanwhile, and again after a failure."""

import asyncio

from services.errors import DatabaseUnavailable, LivewatchError
from services.infra.tasks.coalescer import Coalescer, Reloads
from tests.virtual_time import run


class Reading:
    """A read that takes a second, and fails as often as it is told to."""

    def __init__(self, *, interval: float = 0.0) -> None:
        self.began: list[float] = []
        self.failures = 0
        self.told: list[str] = []
        self.at_once = 0
        self.reloads = Reloads(self.read, name="a read", on_failure=self.failed, retry=3.0, interval=interval)

    async def read(self) -> None:
        self.began.append(asyncio.get_running_loop().time())
        self.at_once += 1
        assert self.at_once == 1
        await asyncio.sleep(1)
        self.at_once -= 1
        if self.failures:
            self.failures -= 1
            raise DatabaseUnavailable("away")

    def failed(self, error: LivewatchError) -> None:
        self.told.append(str(error))


def test_what_is_asked_during_a_read_is_read_once_more() -> None:
    async def work() -> None:
        reading = Reading()
        reading.reloads.request()
        await asyncio.sleep(0.5)
        for _ in range(5):
            reading.reloads.request()
        await asyncio.sleep(60)
        assert reading.began == [0, 1]
        reading.reloads.request()
        await asyncio.sleep(60)
        assert reading.began == [0, 1, 60.5]

    run(work())


def test_a_read_that_fails_is_told_and_tried_again() -> None:
    async def work() -> None:
        reading = Reading()
        reading.failures = 2
        reading.reloads.request()
        await asyncio.sleep(60)
        assert reading.began == [0, 4, 8]
        assert reading.told == ["away", "away"]

    run(work())


def test_reads_keep_their_distance_and_end() -> None:
    async def work() -> None:
        reading = Reading(interval=5.0)
        for _ in range(11):
            reading.reloads.request()
            await asyncio.sleep(1)
        assert reading.began == [0, 6]
        reading.reloads.close()
        reading.reloads.close()
        await asyncio.sleep(60)
        assert reading.began == [0, 6]

    run(work())


def test_aligned_coalescers_run_at_the_same_multiples_of_their_interval_the_first_time_at_once() -> None:
    ran: list[tuple[str, float]] = []

    async def scene() -> None:
        clock = asyncio.get_running_loop().time

        def made(name: str) -> Coalescer:
            return Coalescer(
                lambda: ran.append((name, round(clock(), 6))), interval=lambda: 1.0, is_eager=True, is_aligned=True
            )

        one, other = made("one"), made("other")
        await asyncio.sleep(0.3)
        one.schedule()
        await asyncio.sleep(0.4)
        other.schedule()
        for _ in range(2):
            one.schedule()
            other.schedule()
        await asyncio.sleep(1.5)
        one.schedule()

    run(scene())
    assert ran == [("one", 0.3), ("other", 0.7), ("one", 1.0), ("other", 1.0), ("one", 2.2)]
