"""Retention: ends unreachable runs and deletes old rows after their periods, as the database decides."""

import asyncio

import structlog
from sqlalchemy import TextClause, text

from services.infra.claims import Anonymous
from services.infra.database import Database
from services.infra.tasks.periodic import PeriodicTask
from services.results.artefact_files import ArtefactFiles
from services.results.artefacts import remove_blobs

logger = structlog.get_logger(__name__)

DELETION_INTERVAL_SECONDS = 600.0
BATCH_PAUSE_SECONDS = 0.5
"""Time between two batches, so that many expired rows do not delay live changes."""
MAX_ROWS_PER_BATCH = 500

_DELETE_EXPIRED = text("select private.delete_expired(:limit)")
_END_UNREACHABLE = text("select private.end_unreachable(:limit)")
_TRIM_UPDATES = text("select private.trim_updates(:limit)")


async def delete_expired(database: Database, *, limit: int = MAX_ROWS_PER_BATCH) -> dict[str, int]:
    """Delete one batch of expired rows.

    Args:
        database: Where to delete.
        limit: Maximum number of rows to delete from each table.

    Returns:
        Number of deleted rows by table; empty while another process deletes.

    Raises:
        DatabaseUnavailable: PostgreSQL did not respond.
    """
    return await _counts(database, _DELETE_EXPIRED, limit)


async def end_unreachable(database: Database, *, limit: int = MAX_ROWS_PER_BATCH) -> dict[str, int]:
    """Cancel one batch of runs whose program has been silent for long; like `delete_expired` otherwise."""
    return await _counts(database, _END_UNREACHABLE, limit)


async def trim_updates(database: Database, *, limit: int = MAX_ROWS_PER_BATCH) -> int:
    """Delete one batch of updates of notes that their texts hold, a day old; returns their number."""
    async with database.as_app() as session:
        return int((await (await session.connection()).execute(_TRIM_UPDATES, {"limit": limit})).scalar_one())


async def _counts(database: Database, statement: TextClause, limit: int) -> dict[str, int]:
    async with database.as_user(Anonymous()) as session:
        result = await (await session.connection()).execute(statement, {"limit": limit})
        counts: dict[str, int] = result.scalar_one()
        return counts


class Retention(PeriodicTask):
    """Ends unreachable runs and deletes expired rows, in batches every ten minutes; of several processes, one does."""

    def __init__(
        self, database: Database, files: ArtefactFiles, *, interval: float = DELETION_INTERVAL_SECONDS
    ) -> None:
        self._database = database
        self._files = files
        super().__init__(self._retain, name="retention", interval=interval, failure="retention failed")

    async def _retain(self) -> None:
        while any((counts := await end_unreachable(self._database)).values()):
            logger.info("unreachable runs ended", **counts)
            await asyncio.sleep(BATCH_PAUSE_SECONDS)
        while any((counts := await delete_expired(self._database)).values()):
            logger.info("expired rows deleted", **counts)
            await asyncio.sleep(BATCH_PAUSE_SECONDS)
        while trimmed := await trim_updates(self._database):
            logger.debug("updates of notes trimmed", count=trimmed)
            await asyncio.sleep(BATCH_PAUSE_SECONDS)
        while removed := await remove_blobs(self._database, self._files):
            logger.debug("bytes of artefacts removed", count=removed)
