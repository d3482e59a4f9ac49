"""SQL of what a board shows, in one statement: from roll-ups, or from the runs that a filter selects."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from services.analytics.amounts import AMOUNTS, amounts_query
from services.analytics.board import Board
from services.analytics.range_parts import GRAINS, RangeParts, floor, month_ceiling, week_ceiling
from services.auth.identity import Identity
from services.entities import ALERTS, RUNS
from services.entities.base.listing import ARCHIVE_FACET
from services.lists.conditions import selection_of
from services.period import EVERYTHING

OUTCOMES = ("succeeded", "failed", "stopped")
GAUGES = ("running", "queue")
MAX_JOBS = 10
EVERY_JOB = UUID(int=0)

_SUMMED = "select {columns}, sum(count)::bigint as count from ({rows}) as row {where} group by {groups}"
_ARRAY = "(select coalesce(jsonb_agg(jsonb_build_array({columns})), '[]') from ({query}) as cell)"


def board_query(board: Board, parts: RangeParts, org_id: UUID, identity: Identity) -> tuple[str, dict[str, Any]]:
    """Return SQL of an object with an array for each chart that needs one, and the values of its placeholders.

    `cells` are the place of a part of the range, the kind, the measure and the count; and without a kind, for the
    durations of completed runs, the place, the bin and the count.
    """
    values: dict[str, Any] = {
        "org": org_id, "user": identity.user_id, "job": board.job or EVERY_JOB, "kinds": list(board.kinds),
        "starts": list(parts.starts), "low": parts.starts[0], "high": parts.end,
    }  # fmt: skip
    rows: _Rows = _RolledUp(board, parts, values) if board.is_rolled_up else _Counted(board, org_id, identity, values)
    queries = {"cells": _cells(rows.all())}
    if board.shows("jobs"):
        queries["jobs"] = _jobs(rows.of_jobs())
    if board.shows("failures"):
        queries["failures"] = _failures(rows.failed())
    if board.shows("alerts"):
        queries["alerts"] = _alerts()
    if metrics := [name for chart, names in AMOUNTS.items() if board.shows(chart) for name in names]:
        query, more = amounts_query(board, parts.grain, metrics, org_id, identity)
        queries["amounts"] = _ARRAY.format(columns="place, kind, name, total", query=query)
        values |= more
    found = ", ".join(f"{name!r}, {query}" for name, query in queries.items())
    return f"{rows.shared()}select jsonb_build_object({found})", values


def _cells(rows: str) -> str:
    place = "width_bucket(at, %(starts)s::timestamptz[]) as place"
    placed = (
        f"select {place}, kind, measure, case measure when 'succeeded' then bin end as bin, count from ({rows}) as row"
    )
    groups = "grouping sets ((place, kind, measure), (place, bin)) having kind is not null or bin is not null"
    query = _SUMMED.format(columns="place, kind, measure, bin", rows=placed, where="", groups=groups)
    return _ARRAY.format(columns="place, kind, measure, bin, count", query=query)


def _jobs(rows: str) -> str:
    query = f"""
        with counted as materialized ({_SUMMED.format(columns="job_id, measure", rows=rows, where="", groups="1, 2")}),
        busiest as (select job_id from counted group by 1 order by sum(count) desc, 1 limit {MAX_JOBS})
        select counted.job_id, job.kind, job.slug, job.name, measure, count
        from counted join busiest using (job_id) left join public.jobs as job on job.id = counted.job_id
        where count > 0
    """
    return _ARRAY.format(columns="job_id, kind, slug, name, measure, count", query=query)


def _failures(rows: str) -> str:
    local = "(at at time zone %(zone)s)"
    columns = f"extract(isodow from {local})::integer - 1 as day, extract(hour from {local})::integer as hour"
    query = _SUMMED.format(columns=columns, rows=rows, where="", groups="1, 2")
    return _ARRAY.format(columns="day, hour, count", query=query)


def _alerts() -> str:
    place = "width_bucket(detected_at, %(starts)s::timestamptz[]) as place"
    condition = "org_id = %(org)s and user_id = %(user)s and detected_at >= %(low)s and detected_at < %(high)s"
    query = f"select {place}, signal_type, count(*) from public.{ALERTS.table} where {condition} group by 1, 2"
    return _ARRAY.format(columns="place, signal_type, count", query=query)


class _Rows(Protocol):
    """SQL of rows of `kind`, `job_id`, `measure`, `at`, `bin` and `count` that charts sum."""

    def shared(self) -> str:
        """Return what the statement begins with."""

    def all(self) -> str:
        """Return the rows of all measures in the range, and those of the gauges before it."""

    def of_jobs(self) -> str:
        """Return the rows of how runs of jobs ended in the range."""

    def failed(self) -> str:
        """Return the rows of failed runs in the range, at the quarter of an hour at least."""


class _RolledUp:
    """Rows of the roll-ups and of the notes that are not folded yet."""

    def __init__(self, board: Board, parts: RangeParts, values: dict[str, Any]) -> None:
        self._board = board
        self._parts = parts
        self._values = values
        self._job = "job_id = %(job)s" if board.job else f"job_id = '{EVERY_JOB}'"
        values |= {f"{grain}_low": floor(parts.starts[0], width) for grain, width in GRAINS.items()}

    def shared(self) -> str:
        return ""

    def all(self) -> str:
        measures = OUTCOMES + GAUGES
        # Days as far as they go, then quarters of an hour, then minutes, up to the beginning of the range.
        earlier = {"day": ("'-infinity'", "%(day_low)s"), "quarter": ("%(day_low)s", "%(quarter_low)s")}
        earlier["minute"] = ("%(quarter_low)s", "%(low)s")
        parts = [self._rolled(grain, *between, GAUGES, self._job) for grain, between in earlier.items()]
        if self._parts.grain == "day" and not self._board.job:
            parts += self._coarse("week", week_ceiling, measures, self._job)
        else:
            parts.append(self._rolled(self._parts.grain, "%(low)s", "%(high)s", measures, self._job))
        job = self._job if self._board.job else "true"
        wanted = f"(at >= %(low)s or measure in ({_listed(GAUGES)}))"
        return " union all ".join([*parts, self._notes(measures, job, wanted)])

    def of_jobs(self) -> str:
        job, noted = f"job_id <> '{EVERY_JOB}'", "job_id is not null"
        if self._board.job:
            job = noted = self._job
        parts = self._coarse("month", month_ceiling, OUTCOMES, job)
        return " union all ".join([*parts, self._notes(OUTCOMES, noted, "at >= %(low)s")])

    def failed(self) -> str:
        # Days have no hours.
        grain = "quarter" if self._parts.grain == "day" else self._parts.grain
        job = self._job if self._board.job else "true"
        return " union all ".join([
            self._rolled(grain, "%(low)s", "%(high)s", ("failed",), self._job),
            self._notes(("failed",), job, "at >= %(low)s"),
        ])  # fmt: skip

    def _coarse(
        self, coarse: str, ceiling: Callable[[datetime], datetime], measures: tuple[str, ...], job: str
    ) -> list[str]:
        """Return SQL of the rows of a range from a coarse grain: the last one whole, less what is after the range."""
        grain, low, high = self._parts.grain, ceiling(self._parts.starts[0]), ceiling(self._parts.end)
        if low >= high:
            return [self._rolled(grain, "%(low)s", "%(high)s", measures, job)]
        first, last = f"%({coarse}_low)s", f"%({coarse}_high)s"
        self._values |= {f"{coarse}_low": low, f"{coarse}_high": high}
        return [
            self._rolled(grain, "%(low)s", first, measures, job),
            self._rolled(coarse, first, last, measures, job),
            self._rolled(grain, "%(high)s", last, measures, job, count="-count"),
        ]

    @staticmethod
    def _rolled(grain: str, low: str, high: str, measures: tuple[str, ...], job: str, *, count: str = "count") -> str:
        return (
            f"select kind, job_id, measure, at, bin, {count} as count from public.run_rollups "
            f"where org_id = %(org)s and grain = '{grain}' and {job} and measure in ({_listed(measures)}) "
            f"and at >= {low} and at < {high} and kind = any (%(kinds)s)"
        )

    @staticmethod
    def _notes(measures: tuple[str, ...], job: str, wanted: str) -> str:
        return (
            "select kind, job_id, measure, at, bin, count::bigint from public.run_rollup_changes where "
            f"org_id = %(org)s and kind = any (%(kinds)s) and measure in ({_listed(measures)}) "
            f"and {wanted} and at < %(high)s and {job}"
        )


class _Counted:
    """What the runs that a filter selects count for, read once for all charts."""

    def __init__(self, board: Board, org_id: UUID, identity: Identity, values: dict[str, Any]) -> None:
        query = replace(board.query, period=EVERYTHING)
        parts = []
        for kind in board.kinds:
            entity = RUNS[kind]
            selection = selection_of(entity, query, org_id, identity, excluded=(ARCHIVE_FACET.name,))
            values |= selection.values
            matching = selection.where(
                "created_at < %(high)s", f"(not is_finished or {entity.listing.ended} >= %(low)s)"
            )
            parts.append(
                f"select '{kind}' as kind, facts.job_id, each.measure, each.at, each.bin, each.count::bigint as count "
                f"from (select {entity.table} as run from {matching}) as selected "
                "cross join lateral private.facts(selected.run) as facts "
                "cross join lateral private.measures_of(facts) as each "
                f"where each.at < %(high)s and (each.at >= %(low)s or each.measure in ({_listed(GAUGES)}))"
            )
        self._runs = " union all ".join(parts)

    def shared(self) -> str:
        return f"with runs as materialized ({self._runs}) "

    def all(self) -> str:
        return "select * from runs"

    def of_jobs(self) -> str:
        return f"select * from runs where measure in ({_listed(OUTCOMES)}) and job_id is not null"

    def failed(self) -> str:
        return "select * from runs where measure = 'failed'"


def _listed(measures: tuple[str, ...]) -> str:
    return ", ".join(f"'{measure}'" for measure in measures)
