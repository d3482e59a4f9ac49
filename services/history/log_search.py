"""Search in the logs of an organisation or some of its runs, as the user: by time, in steps of limited cost."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.entities import RUNS
from services.errors import DatabaseTimeLimit, NotFound
from services.history.jobs import jobs
from services.history.log_filter import SEARCH_SECONDS, LogFilter, searching
from services.history.log_literals import required_literals
from services.history.log_regions import EVERYTHING, SPANS, LogRegion, next_region
from services.infra.claims import Claimant
from services.infra.database import Database
from services.text import storable

PAGE_LINES = 100
MIN_STEP_LINES = 500
FIRST_STEP_LINES = 8_000
MAX_STEP_LINES = 256_000
"""Lines that one statement reads: more after one that found little in little time."""
QUICK_STEP_SECONDS = 0.5
LINES_PER_FIND = 600
"""Lines that are read for each line still to be found, of those that may match: somewhat more than a block's."""

_LINES = """
    select id, at, run_id, level, message from public.log_lines
    where org_id = :org {conditions} {bound}
"""
# By the index of runs: without the fence PostgreSQL may look for their lines among all of the organisation.
_LINES_OF_RUNS = f"select * from ({_LINES} and run_id = any(:runs) offset 0) as fenced"
# Materialized, so that the page is a prefix of these lines, and so that no line outside of them is matched.
_STEP = """
    with step as materialized ({lines} order by at {order}, id {order} limit :step)
    select id, at, run_id, level, message, {spans} as spans from step
    where {match} order by at {order}, id {order} limit :limit
"""
_STEP_OF_SPANS = """
    select id, at, run_id, level, message, {spans} as spans from ({lines}) as step
    where {match} order by at {order}, id {order} limit :limit
"""
_LAST = "select at, id from ({lines}) as lines order by at {order}, id {order} offset :step - 1 limit 1"
_RUNS = text("""
    select 'streams' as "table", id, name from public.streams where id = any(:ids)
    union all select 'acquisition_scans', id, name from public.acquisition_scans where id = any(:ids)
    union all select 'agent_executions', id, agent_name from public.agent_executions where id = any(:ids)
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogScope:
    """Whose lines are searched: an organisation's; only those of some of its runs if `runs` is given."""

    org_id: UUID
    runs: tuple[UUID, ...] | None = None

    @classmethod
    async def of_job(cls, database: Database, identity: Claimant, org_id: UUID, address: str) -> "LogScope":
        """Return the scope of a job's latest `STRIP_RUNS` runs; its address is its kind and slug: `streams/nightly`.

        Raises:
            NotFound: There is no such job, or none that the user may see.
            DatabaseUnavailable: PostgreSQL did not respond.
        """
        kind, _, slug = storable(address).partition("/")
        found = await jobs(database, identity, org_id, kind=kind, slug=slug, limit=1)
        if not found:
            raise NotFound(f"There is no job “{address[:140]}”.")
        return cls(org_id=org_id, runs=tuple(run.id for run in found[0].runs))


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Position:
    """Place between lines in the order of time."""

    at: datetime
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLine:
    """One line that was found; see `LogLine`. `table` and `name` are those of its run, None if the run is gone."""

    id: int
    at: datetime
    run_id: UUID
    level: str
    message: str
    spans: Sequence[int] = ()
    table: str | None = None
    name: str | None = None

    @property
    def position(self) -> Position:
        """Its place in the order of time."""
        return Position(at=self.at, id=self.id)

    @property
    def kind(self) -> str | None:
        """Kind of its run; None for a run that was deleted."""
        return next((kind for kind, entity in RUNS.items() if entity.table == self.table), None)

    @property
    def path(self) -> str | None:
        """Path of the page that shows it in the log of its run; None for a run that was deleted."""
        if self.kind is None:
            return None
        path = RUNS[self.kind].row_path.format(id=self.run_id)
        return f"{path}{'&' if '?' in path else '?'}line={self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLines:
    """One page of what was found.

    Args:
        lines: Lines, in the direction of the search.
        reached: Where to search on; None if all lines were searched.
        is_cut: Whether the time of the search was over before the page was full.
    """

    lines: Sequence[FoundLine]
    reached: Position | None
    is_cut: bool = False


async def search_logs(
    database: Database,
    identity: Claimant,
    scope: LogScope,
    filter: LogFilter,
    *,
    before: Position | None = None,
    after: Position | None = None,
    limit: int = PAGE_LINES,
    clock: Callable[[], float] = time.monotonic,
) -> FoundLines:
    """Find the latest lines that match.

    Args:
        database: Where to read.
        identity: The user or the key; lines that they may not see are not found.
        scope: Whose lines.
        filter: Which lines.
        before: Search the lines before this position, from later to earlier.
        after: Search the lines after this position, from earlier to later.
        limit: Maximum number of lines.
        clock: Returns seconds; after `SEARCH_SECONDS` the search ends with what it has found until then.

    Raises:
        NotAccepted: The regular expression is not one.
        DatabaseTimeLimit: Not even a few lines could be matched in this time.
        DatabaseUnavailable: PostgreSQL did not respond.
    """
    ends_at = clock() + SEARCH_SECONDS
    lines: list[FoundLine] = []
    position = before if after is None else after
    # Without a query every line matches. Of some runs all lines are read in any case, to order them.
    step = (MAX_STEP_LINES if scope.runs else FIRST_STEP_LINES) if filter.expressions else limit
    literals = required_literals(filter) if scope.runs is None and after is None else []
    region: LogRegion | None = EVERYTHING
    is_first = True
    while True:
        left = ends_at - clock()
        if left <= 0 and not is_first:
            return FoundLines(lines=await _named(database, identity, lines), reached=position, is_cut=True)
        began = clock()
        try:
            async with searching(database, identity, seconds=left) as connection:
                if region is None:
                    before_line = None if position is None else (position.at, position.id)
                    # Most blocks that may hold a match hold one.
                    needed = min(step, (limit - len(lines)) * LINES_PER_FIND)
                    region = await next_region(
                        connection, scope.org_id, literals, filter, before=before_line, max_lines=needed
                    )
                reader = _Reader(connection, scope, filter, position, region, is_later=after is not None)
                found = await reader.step(step, limit - len(lines))
                is_full = len(found) == limit - len(lines)
                reached = found[-1].position if is_full else await reader.last(step)
        except DatabaseTimeLimit:
            if is_first and step <= MIN_STEP_LINES:
                raise
            if is_first:
                # A costly expression: fewer lines in what is left of the time, which begins again for them.
                step, ends_at = MIN_STEP_LINES, clock() + SEARCH_SECONDS
                continue
            return FoundLines(lines=await _named(database, identity, lines), reached=position, is_cut=True)
        lines += found
        if is_full or (reached is None and region.floor is None):
            return FoundLines(lines=await _named(database, identity, lines), reached=reached)
        if reached is None and region.floor is not None:
            # All lines down to the floor are read, and none before it.
            reached, region = Position(at=region.floor, id=0), None
        elif region is EVERYTHING and literals:
            # The latest lines are read in any case, which suffices for a common word.
            region = None
        position, is_first = reached, False
        if clock() - began < QUICK_STEP_SECONDS:
            step = min(step * 4, MAX_STEP_LINES)


class _Reader:
    """Reads lines from a position on, in one direction."""

    def __init__(
        self,
        connection: AsyncConnection,
        scope: LogScope,
        filter: LogFilter,
        position: Position | None,
        region: LogRegion,
        *,
        is_later: bool,
    ) -> None:
        self._connection = connection
        self._filter = filter
        self._has_spans = region.spans is not None
        self._values: dict[str, Any] = {"org": scope.org_id, **region.values}
        self._order = "asc" if is_later else "desc"
        bound = ""
        if position is not None:
            bound = f"and (at, id) {'>' if is_later else '<'} (:at, :id)"
            self._values |= {"at": position.at, "id": position.id}
        if scope.runs is not None:
            self._values["runs"] = list(scope.runs)
        lines = SPANS if self._has_spans else _LINES if scope.runs is None else _LINES_OF_RUNS
        conditions = f"{filter.conditions(self._values)} {region.condition}"
        self._lines = lines.format(conditions=conditions, bound=bound)

    async def step(self, step: int, limit: int) -> list[FoundLine]:
        """Return the first matches among the next `step` lines, or among all lines of the spans."""
        values = {**self._values, "step": step, "limit": limit}
        statement = (_STEP_OF_SPANS if self._has_spans else _STEP).format(
            lines=self._lines,
            order=self._order,
            spans=self._filter.spans(values),
            match=self._filter.match(values),
        )
        return [FoundLine(**row._mapping) for row in (await self._connection.execute(text(statement), values)).all()]

    async def last(self, step: int) -> Position | None:
        """Return the position of the last of the next `step` lines; None if there are fewer."""
        if self._has_spans:
            return None
        values = {**self._values, "step": step}
        statement = _LAST.format(lines=self._lines, order=self._order)
        row: Row[Any] | None = (await self._connection.execute(text(statement), values)).one_or_none()
        return None if row is None else Position(at=row.at, id=row.id)


async def _named(database: Database, identity: Claimant, lines: Sequence[FoundLine]) -> list[FoundLine]:
    """Return the lines with the tables and names of their runs."""
    ids = list({line.run_id for line in lines})
    if not ids:
        return []
    async with database.as_user(identity) as session:
        rows = (await (await session.connection()).execute(_RUNS, {"ids": ids})).all()
    runs = {row.id: {"table": row.table, "name": row.name} for row in rows}
    return [replace(line, **runs.get(line.run_id, {})) for line in lines]
