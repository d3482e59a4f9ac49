"""Log lines of a run, read as the signed-in user."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.auth.identity import Identity
from services.history.log_filter import LogFilter, searching
from services.infra.database import Database

MAX_LINES = 2000
"""Lines of one page."""
EVERYTHING = LogFilter()

_PAGE = """
    select id, at, level, message, {match} as is_match, {spans} as spans from public.log_lines
    where run_id = :run and id {operator} :bound {conditions} {search}
    order by id {order} limit :limit
"""
_FIND = "select id, {spans} as spans from public.log_lines where run_id = :run {conditions} and {match} order by id"
_HAS_LINE = text("select exists (select from public.log_lines where run_id = :run and id = :id)")
_RUN_OF_LINE = text("select run_id from public.log_lines where id = :id")
_AT = "select id from public.log_lines where run_id = :run and at >= :wanted {conditions} order by at, id limit 1"
MAX_ID = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One log line; `id` increases with every line, `level` is a level name of Python's logging in lower case.

    Args:
        is_match: Whether it matches the query of the filter that it was read by.
        spans: Starts and ends of the first matches of a regular expression, in characters of what is shown.
    """

    id: int
    at: datetime
    level: str
    message: str
    is_match: bool = False
    spans: Sequence[int] = ()


async def log_lines(
    database: Database,
    identity: Identity,
    run: UUID,
    filter: LogFilter = EVERYTHING,
    *,
    after: int | None = None,
    before: int | None = None,
    limit: int = MAX_LINES,
) -> list[LogLine]:
    """Read log lines of a run.

    Args:
        database: Where to read.
        identity: The user, who must be allowed to see the run.
        run: Id of the run.
        filter: Which lines to read, and what to mark in them.
        after: Read the lines that follow this id.
        before: Read the lines that precede this id; the latest lines by default.
        limit: Maximum number of lines.

    Returns:
        The lines, oldest first; empty if the user may not see the run.

    Raises:
        NotAccepted: A regular expression is not one.
        DatabaseTimeLimit: The search took too long.
        DatabaseUnavailable: PostgreSQL did not respond.
    """
    async with searching(database, identity) as connection:
        return await _page(connection, run, filter, after=after, before=before, limit=limit)


async def lines_around(
    database: Database, identity: Identity, run: UUID, filter: LogFilter, id: int
) -> tuple[list[LogLine], bool]:
    """Read the lines around one, which need not exist; returns them, and whether there may be later ones."""
    half = MAX_LINES // 2
    async with searching(database, identity) as connection:
        earlier = await _page(connection, run, filter, before=id, limit=half)
        later = await _page(connection, run, filter, after=id - 1, limit=half)
    return earlier + later, len(later) == half


async def following_lines(
    database: Database, identity: Identity, run: UUID, filter: LogFilter, after: int
) -> tuple[list[LogLine], bool]:
    """Read the lines after one; returns them, and whether that one, and maybe some after it, were deleted."""
    async with searching(database, identity) as connection:
        is_kept = bool((await connection.execute(_HAS_LINE, {"run": run, "id": after})).scalar_one())
        return await _page(connection, run, filter, after=after, limit=MAX_LINES), not is_kept


async def run_of_line(database: Database, identity: Identity, id: int) -> UUID | None:
    """Return the id of the run that has a line; None if the line was deleted, or the user may not see it."""
    async with searching(database, identity) as connection:
        found: UUID | None = (await connection.execute(_RUN_OF_LINE, {"id": id})).scalar_one_or_none()
        return found


async def find_lines(
    database: Database, identity: Identity, run: UUID, filter: LogFilter
) -> list[tuple[int, Sequence[int]]]:
    """Return the id and the spans of each line that matches its query, oldest first; raises as `log_lines`."""
    values: dict[str, Any] = {"run": run}
    statement = _FIND.format(
        spans=filter.spans(values),
        conditions=filter.conditions(values),
        match=filter.match(values),
    )
    async with searching(database, identity) as connection:
        return [(row.id, row.spans) for row in await connection.execute(text(statement), values)]


async def line_at(
    database: Database, identity: Identity, run: UUID, time: datetime, filter: LogFilter = EVERYTHING
) -> int | None:
    """Return the id of the earliest line at or after a time; None if there is none."""
    values: dict[str, Any] = {"run": run, "wanted": time}
    statement = text(_AT.format(conditions=filter.conditions(values)))
    async with searching(database, identity) as connection:
        found: int | None = (await connection.execute(statement, values)).scalar_one_or_none()
        return found


async def _page(
    connection: AsyncConnection,
    run: UUID,
    filter: LogFilter,
    *,
    after: int | None = None,
    before: int | None = None,
    limit: int,
) -> list[LogLine]:
    is_later = after is not None
    bound = after if after is not None else MAX_ID if before is None else before
    values: dict[str, Any] = {"run": run, "limit": limit, "bound": max(-MAX_ID, min(bound, MAX_ID))}
    statement = _PAGE.format(
        spans=filter.spans(values),
        # A line that was read by the query matches it.
        match="false" if not filter.expressions else filter.match(values) if filter.is_marking else "true",
        conditions=filter.conditions(values),
        search=filter.search(values),
        operator=">" if is_later else "<",
        order="asc" if is_later else "desc",
    )
    rows = (await connection.execute(text(statement), values)).all()
    lines = [_line(row) for row in rows]
    return lines if is_later else lines[::-1]


def _line(row: Row[Any]) -> LogLine:
    return LogLine(
        id=row.id, at=row.at, level=row.level, message=row.message, is_match=row.is_match, spans=tuple(row.spans)
    )
