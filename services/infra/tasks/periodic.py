"""Periodic tasks: work that is done every so often, for as long as the app runs."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

import structlog

from services.errors import LivewatchError

logger = structlog.get_logger(__name__)


class PeriodicTask:
    """Does `work`, `interval` seconds after it did so last. Close with `aclose`.

    Args:
        work: What to do; it is done again after the interval, whatever it raises.
        name: Name of the task.
        interval: Seconds before the first time and between two times.
        failure: What is logged when it fails.
    """

    def __init__(self, work: Callable[[], Awaitable[object]], *, name: str, interval: float, failure: str) -> None:
        self._work = work
        self._interval = interval
        self._failure = failure
        self._task = asyncio.create_task(self._run(), name=name)

    async def aclose(self) -> None:
        """Stop; idempotent."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self._work()
            except LivewatchError as error:
                logger.info(self._failure, cause=str(error))
            except Exception:
                # Nobody else would notice that it has ended.
                logger.exception(self._failure)
