"""Roll-ups: folds the notes of changed runs, and of logged tokens and cost, into sums by minute up to month."""

import asyncio

import structlog
from sqlalchemy import text

from services.infra.claims import Anonymous
from services.infra.database import Database
from services.infra.tasks.periodic import PeriodicTask

logger = structlog.get_logger(__name__)

FOLD_INTERVAL_SECONDS = 5.0
BATCH_PAUSE_SECONDS = 0.1
MAX_ROWS_PER_BATCH = 5000

_FOLD = text("select greatest(private.fold_rollups(:limit), private.fold_metric_rollups(:limit))")


async def fold_rollups(database: Database, *, limit: int = MAX_ROWS_PER_BATCH) -> int:
    """Fold at most `limit` notes of runs and of metrics; returns the number of the more, 0 while another process folds.

    Raises:
        DatabaseUnavailable: PostgreSQL did not respond.
    """
    async with database.as_user(Anonymous()) as session:
        return int((await (await session.connection()).execute(_FOLD, {"limit": limit})).scalar_one())


class Rollups(PeriodicTask):
    """Folds every few seconds; of several processes, one does.

    Readers add what is not folded yet, so nobody waits for it.
    """

    def __init__(self, database: Database, *, interval: float = FOLD_INTERVAL_SECONDS) -> None:
        self._database = database
        super().__init__(self._fold, name="roll-ups", interval=interval, failure="roll-ups not folded")

    async def _fold(self) -> None:
        while (folded := await fold_rollups(self._database)) >= MAX_ROWS_PER_BATCH:
            logger.debug("roll-ups behind", folded=folded)
            await asyncio.sleep(BATCH_PAUSE_SECONDS)
