"""Forgets what has ended and is old, as long as each organisation keeps it; the database decides what that is."""

import asyncio
from typing import Self

import structlog
from sqlalchemy import text

from services.errors import LivewatchError
from services.infra.claims import Anonymous
from services.infra.database import Database

logger = structlog.get_logger(__name__)

INTERVAL = 600.0
PAUSE = 0.5
"""Between two parts, so that a windfall of old rows does not crowd out what people watch."""

_FORGET = text("select private.delete_expired(:most)")


async def forget_old(database: Database, *, most: int = 500) -> dict[str, int]:
    """Forget at most `most` rows of each table; how many of each, empty while another process is at it.

    Raises DatabaseUnavailable.
    """
    async with database.as_user(Anonymous()) as session:
        counts: dict[str, int] = (await (await session.connection()).execute(_FORGET, {"most": most})).scalar_one()
        return counts


class Retention:
    """Forgets every ten minutes, in parts. Any number of processes may: one of them does. Close with `aclose`."""

    def __init__(self, database: Database, *, interval: float = INTERVAL) -> None:
        self._database = database
        self._interval = interval
        self._task = asyncio.create_task(self._run(), name="retention")

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
                while any((counts := await forget_old(self._database)).values()):
                    logger.info("forgot what is old", **counts)
                    await asyncio.sleep(PAUSE)
            except LivewatchError as error:
                logger.info("nothing is forgotten now", cause=str(error))
