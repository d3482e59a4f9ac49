"""The lines that programs logged in a run, as a member reads them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from services.auth.identity import Identity
from services.infra.database import Database

MAX_LINES = 200

_LATEST = text("""
    select id, at, level, message from public.log_lines
    where run_id = :run and (:after = 0 or id > :after) and (:before = 0 or id < :before)
    order by id desc limit :most
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line; `id` grows with each, `level` is as Python's logging names it, in small letters."""

    id: int
    at: datetime
    level: str
    message: str


async def log_lines(
    database: Database, identity: Identity, run: UUID, *, after: int = 0, before: int = 0
) -> list[LogLine]:
    """The latest 200 lines of a run, oldest first: all, those after a line, or those before one.

    None of a run that the person may not see. Raises DatabaseUnavailable.
    """
    values = {"run": run, "after": after, "before": before, "most": MAX_LINES}
    async with database.as_user(identity) as session:
        rows = (await (await session.connection()).execute(_LATEST, values)).all()
    return [LogLine(id=row.id, at=row.at, level=row.level, message=row.message) for row in reversed(rows)]
