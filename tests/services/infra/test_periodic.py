"""Periodic tasks go on, whatever their work raises, until they are closed."""

import asyncio

from services.errors import LivewatchError
from services.infra.tasks.periodic import PeriodicTask
from tests.world import until


async def test_work_is_done_again_after_failures_and_not_after_the_end() -> None:
    outcomes: list[Exception | None] = [None, LivewatchError("PostgreSQL is away"), ZeroDivisionError(), None]
    done = 0

    async def work() -> None:
        nonlocal done
        done += 1
        if done <= len(outcomes) and (outcome := outcomes[done - 1]) is not None:
            raise outcome

    async with PeriodicTask(work, name="test", interval=0.001, failure="not done") as task:
        await until(lambda: done > len(outcomes))
        await task.aclose()
        before = done
        await asyncio.sleep(0.02)
    assert done == before
