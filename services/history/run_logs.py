"""Log lines of a run, read as the signed-in user."""

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
    order by id desc limit :limit
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One log line; `id` increases with every line, `level` is a level name of Python's logging in lower case."""

    id: int
    at: datetime
    level: str
    message: str


async def log_lines(
    database: Database, identity: Identity, run: UUID, *, after: int = 0, before: int = 0
) -> list[LogLine]:
    """Read the latest log lines of a run.

    Args:
        database: Where to read.
        identity: The user, who must be allowed to see the run.
        run: Id of the run.
        after: Only lines with a larger id; 0 for all.
        before: Only lines with a smaller id; 0 for all.

    Returns:
        At most `MAX_LINES` lines, oldest first; empty if the user may not see the run.

    Raises:
        DatabaseUnavailable: PostgreSQL did not respond.
    """
    values = {"run": run, "after": after, "before": before, "limit": MAX_LINES}
    async with database.as_user(identity) as session:
        rows = (await (await session.connection()).execute(_LATEST, values)).all()
    return [LogLine(id=row.id, at=row.at, level=row.level, message=row.message) for row in reversed(rows)]
