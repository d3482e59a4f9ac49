"""Presence of the app: no program is called unreachable for a time in which it had nobody to report to."""

import asyncio
from typing import Self

import structlog
from sqlalchemy import text

from services.errors import LivewatchError
from services.infra.claims import Anonymous
from services.infra.database import Database

logger = structlog.get_logger(__name__)

INTERVAL_SECONDS = 10.0
_MARK_PRESENT = text("select private.mark_present()")


class Presence:
    """Notes in the database that this process takes reports; any process of several speaks for all.

    The first note is written on entering, so that no page shows a run that could not have reported. Close with
    `aclose`.
    """

    def __init__(self, database: Database, *, interval: float = INTERVAL_SECONDS) -> None:
        self._database = database
        self._interval = interval
        self._task: asyncio.Task[None] | None = None

    async def mark(self) -> None:
        """Note the presence; logs an absence that has ended, and does nothing while PostgreSQL is away."""
        try:
            async with self._database.as_user(Anonymous()) as session:
                absence = (await (await session.connection()).execute(_MARK_PRESENT)).scalar_one()
        except LivewatchError as error:
            logger.info("presence not noted", cause=str(error))
            return
        if absence:
            logger.info("back after an absence", seconds=round(absence, 1))

    async def aclose(self) -> None:
        """Stop; idempotent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.mark()
        self._task = asyncio.create_task(self._run(), name="presence")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            await self.mark()
