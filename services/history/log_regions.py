"""Regions of an organisation's log lines that a search reads: those whose blocks may hold what it looks for."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.history.log_filter import LogFilter

_REGION = text("""
    select floor, starts, untils from private.log_region(
        :org, cast(:wanted as jsonb), coalesce(cast(:before as timestamptz), 'infinity'), :is_included,
        cast(:after as timestamptz), :max_lines)
""")
# Of spans that were chosen for it every line is read, so no limit but theirs is needed.
SPANS = """
    select line.* from unnest(cast(:starts as timestamptz[]), cast(:untils as timestamptz[])) as span (start, until)
    cross join lateral (
        select id, at, run_id, level, message from public.log_lines
        where org_id = :org and at >= span.start and at < span.until {conditions} {bound} offset 0
    ) as line
"""
"""Lines of spans of time, as a statement whose values `LogRegion.values` returns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRegion:
    """Part of the past, from a position back.

    Args:
        floor: Time at which it begins; None if it is all of the past.
        spans: Beginnings and ends of what may hold matches, the latest first; None if nothing is known, so that all
            lines of the region are to be read.
    """

    floor: datetime | None = None
    spans: tuple[Sequence[str], Sequence[str]] | None = None

    @property
    def condition(self) -> str:
        """What follows `where true` for lines of the region; its value is in `values`."""
        return "" if self.floor is None else "and at >= :floor"

    @property
    def values(self) -> dict[str, Any]:
        """Values of `condition` and of `SPANS`."""
        values: dict[str, Any] = {} if self.floor is None else {"floor": self.floor}
        if self.spans is not None:
            values |= {"starts": list(self.spans[0]), "untils": list(self.spans[1])}
        return values


EVERYTHING = LogRegion()


async def next_region(
    connection: AsyncConnection,
    org_id: UUID,
    literals: Sequence[Sequence[str]],
    filter: LogFilter,
    *,
    before: tuple[datetime, int] | None,
    max_lines: int,
) -> LogRegion:
    """Return the region before a position, with spans of some `max_lines` lines.

    Args:
        connection: A transaction of the user; of organisations that they may not see nothing is to be read.
        org_id: Whose lines.
        literals: What matches must contain; see `required_literals`.
        filter: The search.
        before: Time and number of a line, 0 before all lines of this time.
        max_lines: Lines of the spans together, unless one span has more.
    """
    values = {
        "org": org_id,
        "wanted": json.dumps(literals),
        "before": before and before[0],
        "is_included": before is not None and before[1] > 0,
        "after": filter.start,
        "max_lines": max_lines,
    }
    row = (await connection.execute(_REGION, values)).one()
    return LogRegion(floor=row.floor, spans=None if row.starts is None else (row.starts, row.untils))
