"""Blocks of log lines: notes which parts of words older lines hold, so that searches skip most of them."""

import asyncio

import structlog
from sqlalchemy import text

from services.infra.claims import Anonymous
from services.infra.database import Database
from services.infra.tasks.periodic import PeriodicTask

logger = structlog.get_logger(__name__)

BLOCK_INTERVAL_SECONDS = 60.0
BATCH_PAUSE_SECONDS = 0.2
MAX_BLOCKS_PER_BATCH = 20
MAX_LINES_PER_BLOCK = 512
MAX_BLOCKS_TIDIED = 1000

_MAKE = text("select private.make_log_blocks(:blocks, :lines)")
_TIDY = text("select private.tidy_log_blocks(:blocks)")


async def make_log_blocks(
    database: Database, *, blocks: int = MAX_BLOCKS_PER_BATCH, lines: int = MAX_LINES_PER_BLOCK
) -> int:
    """Make at most `blocks` blocks of `lines` lines; returns their number, 0 while another process makes some.

    Raises:
        DatabaseUnavailable: PostgreSQL did not respond.
    """
    async with database.as_user(Anonymous()) as session:
        made = await (await session.connection()).execute(_MAKE, {"blocks": blocks, "lines": lines})
        return int(made.scalar_one())


async def tidy_log_blocks(database: Database, *, blocks: int = MAX_BLOCKS_TIDIED) -> None:
    """Look at the next `blocks` blocks, and join those of which most lines were deleted with others."""
    async with database.as_user(Anonymous()) as session:
        await (await session.connection()).execute(_TIDY, {"blocks": blocks})


class LogBlocks(PeriodicTask):
    """Makes blocks every minute, in batches; of several processes, one does.

    Searches read what has no block yet, so nobody waits for it.
    """

    def __init__(self, database: Database, *, interval: float = BLOCK_INTERVAL_SECONDS) -> None:
        self._database = database
        super().__init__(self._make, name="log blocks", interval=interval, failure="log blocks not made")

    async def _make(self) -> None:
        while (made := await make_log_blocks(self._database)) >= MAX_BLOCKS_PER_BATCH:
            logger.debug("log blocks behind", made=made)
            await asyncio.sleep(BATCH_PAUSE_SECONDS)
        await tidy_log_blocks(self._database)
