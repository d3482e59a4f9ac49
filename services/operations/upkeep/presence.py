"""Presence of the app: no program is called unreachable for a time in which it had nobody to report to."""

import structlog
from sqlalchemy import text

from services.errors import LivewatchError
from services.infra.claims import Anonymous
from services.infra.database import Database

logger = structlog.get_logger(__name__)

_MARK_PRESENT = text("select private.mark_present()")


async def note_presence(database: Database) -> None:
    """Note that this process takes reports from now on; afterwards the watcher does, of any process for all.

    Before pages are served, so that none shows a run that could not have reported. Logs an absence that has ended, and
    does nothing while PostgreSQL is away.
    """
    try:
        async with database.as_user(Anonymous()) as session:
            absence = (await (await session.connection()).execute(_MARK_PRESENT)).scalar_one()
    except LivewatchError as error:
        logger.info("presence not noted", cause=str(error))
        return
    if absence:
        logger.info("back after an absence", seconds=round(absence, 1))
