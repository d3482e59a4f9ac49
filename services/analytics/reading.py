"""Reading what a board shows, as a member, in one statement: from roll-ups, or from the runs that a filter selects."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from services.analytics.amounts import AMOUNTS, amounts_query
from services.analytics.board import Board
from services.analytics.range_parts import GRAINS, RangeParts, floor, parts_of, whole_months, whole_weeks
from services.auth.identity import Identity
from services.entities import ALERTS, RUNS, VIEWERS, Viewers
from services.entities.base.listing import ARCHIVE_FACET
from services.infra.database import Database
from services.lists.as_member import read_as_member
from services.lists.conditions import selection_of
from services.period import EVERYTHING, zone_of
from services.presence.online import OnlinePerson, online_people

OUTCOMES = ("succeeded", "failed", "stopped")
GAUGES = ("running", "queue")
MAX_JOBS = 10
ALERT_TYPES = 6
"""Types of alert that are shown apart, the most frequent ones."""
EVERY_JOB = UUID(int=0)

_SUMMED = "select {columns}, sum(count)::bigint as count from ({rows}) as row {where} group by {groups}"
_ARRAY = "(select coalesce(jsonb_agg(jsonb_build_array({columns})), '[]') from ({query}) as cell)"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRuns:
    """How many runs of a job ended."""

    id: UUID
    kind: str
    slug: str | None
    name: str
    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        """Their number."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was read for a board.

    Args:
        parts: The parts of its range; None if there has never been a run.
        zone: Name of the zone of the parts.
        ended: Number of runs by part, kind and outcome, and then by bin of duration.
        gauges: Change of the numbers of running and waiting runs by part (-1: before the range) and measure.
        jobs: The busiest jobs, most runs first.
        failures: Number of failed runs by weekday (0: Monday) and hour.
        alerts: Number of alerts by part and type.
        people: Who was online then, and what they looked at.
        amounts: Sum of what runs logged by part, kind and metric, of tokens and cost; only where something was logged.
    """

    parts: RangeParts | None
    zone: str
    ended: Mapping[tuple[int, str, str], Counter[int]] = field(default_factory=dict)
    gauges: Mapping[tuple[int, str], int] = field(default_factory=dict)
    jobs: tuple[JobRuns, ...] = ()
    failures: Mapping[tuple[int, int], int] = field(default_factory=dict)
    alerts: Mapping[tuple[int, str], int] = field(default_factory=dict)
    amounts: Mapping[tuple[int, str, str], float] = field(default_factory=dict)
    people: tuple[OnlinePerson, ...] = ()


async def read_board(
    database: Database, identity: Identity, org_id: UUID, board: Board, *, zone: str = "", now: datetime | None = None
) -> Reading:
    """Read what the charts of a board show.

    Args:
        database: Where to read.
        identity: Who reads; alerts are theirs.
        org_id: The organisation.
        board: The board.
        zone: Name of the reader's zone, for a board without one; UTC by default.
        now: The present.

    Raises:
        PermissionDenied: The user is no member of the organisation, or no longer.
        DatabaseUnavailable: PostgreSQL did not answer, or not in time.
    """
    now, zone = now or datetime.now(UTC), board.zone or zone or "UTC"
    start, end = board.bounds(now)
    if start is None:
        start = await _first(database, identity, org_id, board)
        if start is None:
            return Reading(parts=None, zone=zone)
    parts = parts_of(min(start, end), end, zone_of(zone), now=now)
    values: dict[str, Any] = {
        "org": org_id, "user": identity.user_id, "job": board.job or EVERY_JOB, "kinds": list(board.kinds),
        "zone": zone, "starts": list(parts.starts), "low": parts.starts[0], "high": parts.end,
    }  # fmt: skip
    values["month_low"], values["month_high"] = whole_months(parts.starts[0], parts.end)
    values["week_low"], values["week_high"] = whole_weeks(parts.starts[0], parts.end)
    values |= {f"{grain}_low": floor(parts.starts[0], width) for grain, width in GRAINS.items()}
    queries = _Queries(board, parts, org_id, identity)
    statement = f"jsonb_build_object({', '.join(f'{name!r}, {query}' for name, query in queries.queries().items())})"
    found = await read_as_member(database, identity, org_id, f"select {statement}", {**values, **queries.values})
    return _reading(parts, zone, found)


def _reading(parts: RangeParts, zone: str, found: Mapping[str, Any]) -> Reading:
    ended: dict[tuple[int, str, str], Counter[int]] = {}
    gauges: Counter[tuple[int, str]] = Counter()
    for place, kind, measure, bin, count in found["cells"]:
        if measure in GAUGES:
            gauges[place - 1, measure] += count
        else:
            ended.setdefault((place - 1, kind, measure), Counter())[bin] += count
    jobs: dict[str, JobRuns] = {}
    for id, kind, slug, name, measure, count in found.get("jobs", ()):
        known = jobs[id].counts if id in jobs else {}
        counts = {**known, measure: count}
        jobs[id] = JobRuns(id=UUID(id), kind=kind, slug=slug, name=name or "A deleted job", counts=counts)
    return Reading(
        parts=parts,
        zone=zone,
        ended=ended,
        gauges=gauges,
        jobs=tuple(sorted(jobs.values(), key=lambda job: (-job.total, job.kind, job.slug or ""))),
        failures={(day, hour): count for day, hour, count in found.get("failures", ())},
        alerts={(place - 1, type): count for place, type, count in found.get("alerts", ())},
        amounts={(place - 1, kind, name): float(total) for place, kind, name, total in found.get("amounts", ())},
        people=tuple(online_people(Viewers.model_validate(row) for (row,) in found.get("people", ()))),
    )


class _Queries:
    """The queries of a board's charts.

    Each counts rows of `kind`, `job_id`, `measure`, `at`, `bin` and `count`, which come from the roll-ups and the notes
    that are not folded yet, or from the runs themselves.
    """

    def __init__(self, board: Board, parts: RangeParts, org_id: UUID, identity: Identity) -> None:
        self._board = board
        self._parts = parts
        self._org_id = org_id
        self._identity = identity
        self.values: dict[str, Any] = {}

    def queries(self) -> dict[str, str]:
        """Return SQL of a JSON array for each chart that needs one."""
        queries = {"cells": self._cells()}
        if self._board.shows("jobs"):
            queries["jobs"] = self._jobs()
        if self._board.shows("failures"):
            queries["failures"] = self._failures()
        if self._board.shows("alerts"):
            queries["alerts"] = self._alerts()
        if self._board.shows("people"):
            query = f"select to_jsonb(each) as row from public.{VIEWERS.table} as each where org_id = %(org)s"
            queries["people"] = _ARRAY.format(columns="row", query=query)
        if metrics := [name for chart, names in AMOUNTS.items() if self._board.shows(chart) for name in names]:
            query, values = amounts_query(self._board, self._parts.grain, metrics, self._org_id, self._identity)
            queries["amounts"] = _ARRAY.format(columns="place, kind, name, total", query=query)
            self.values |= values
        return queries

    def _cells(self) -> str:
        place = "width_bucket(at, %(starts)s::timestamptz[]) as place"
        rows = self._rows(OUTCOMES + GAUGES, with_earlier=True)
        query = _SUMMED.format(columns=f"{place}, kind, measure, bin", rows=rows, where="", groups="1, 2, 3, 4")
        return _ARRAY.format(columns="place, kind, measure, bin, count", query=query)

    def _jobs(self) -> str:
        rows = self._rows(OUTCOMES, by_job=True)
        counted = _SUMMED.format(columns="job_id, measure", rows=rows, where="", groups="1, 2")
        query = f"""
            with counted as materialized ({counted}),
            busiest as (select job_id from counted group by 1 order by sum(count) desc, 1 limit {MAX_JOBS})
            select counted.job_id, job.kind, job.slug, job.name, measure, count
            from counted join busiest using (job_id) left join public.jobs as job on job.id = counted.job_id
            where count > 0
        """
        return _ARRAY.format(columns="job_id, kind, slug, name, measure, count", query=query)

    def _failures(self) -> str:
        # Days have no hours.
        rows = self._rows(("failed",), grain="quarter" if self._parts.grain == "day" else self._parts.grain)
        local = "(at at time zone %(zone)s)"
        columns = f"extract(isodow from {local})::integer - 1 as day, extract(hour from {local})::integer as hour"
        query = _SUMMED.format(columns=columns, rows=rows, where="", groups="1, 2")
        return _ARRAY.format(columns="day, hour, count", query=query)

    def _alerts(self) -> str:
        place = "width_bucket(detected_at, %(starts)s::timestamptz[]) as place"
        condition = "org_id = %(org)s and user_id = %(user)s and detected_at >= %(low)s and detected_at < %(high)s"
        query = f"select {place}, signal_type, count(*) from public.{ALERTS.table} where {condition} group by 1, 2"
        return _ARRAY.format(columns="place, signal_type, count", query=query)

    def _rows(
        self, measures: tuple[str, ...], *, with_earlier: bool = False, by_job: bool = False, grain: str = ""
    ) -> str:
        """Return SQL of the rows of some measures in the range, of jobs apart or of all runs.

        `with_earlier` adds those of the gauges before the range.
        """
        if not self._board.is_rolled_up:
            return self._filtered(measures, with_earlier=with_earlier, by_job=by_job)
        low, grain = "%(low)s", grain or self._parts.grain
        # Where no part is shorter: of jobs, whole months are rolled up, too, and of all runs whole weeks.
        coarse = "month" if by_job else "week" if grain == "day" and not self._board.job else ""
        bounds = [(grain, low, "%(high)s")]
        if coarse:
            bounds = [(coarse, f"%({coarse}_low)s", f"%({coarse}_high)s")]
            bounds += [(grain, low, f"%({coarse}_low)s"), (grain, f"%({coarse}_high)s", "%(high)s")]
        parts = [self._rolled(*each, measures, by_job=by_job) for each in bounds]
        if with_earlier:
            # Days as far as they go, then quarters of an hour, then minutes, up to the beginning of the range.
            earlier = {"day": ("'-infinity'", "%(day_low)s"), "quarter": ("%(day_low)s", "%(quarter_low)s")}
            earlier["minute"] = ("%(quarter_low)s", low)
            parts += [self._rolled(each, *between, GAUGES) for each, between in earlier.items()]
        since = "'-infinity'" if with_earlier else low
        job = "job_id = %(job)s" if self._board.job else "job_id is not null" if by_job else "true"
        wanted = f"measure in ({_listed(measures)}) and (at >= {low} or measure in ({_listed(GAUGES)}))"
        parts.append(
            "select kind, job_id, measure, at, bin, count::bigint from public.run_rollup_changes where "
            f"org_id = %(org)s and kind = any (%(kinds)s) and {wanted} and at >= {since} and at < %(high)s and {job}"
        )
        return " union all ".join(parts)

    def _rolled(self, grain: str, low: str, high: str, measures: tuple[str, ...], *, by_job: bool = False) -> str:
        job = "job_id = %(job)s"
        if by_job and not self._board.job:
            job = f"job_id <> '{EVERY_JOB}'"
        return (
            "select kind, job_id, measure, at, bin, count from public.run_rollups "
            f"where org_id = %(org)s and grain = '{grain}' and {job} and measure in ({_listed(measures)}) "
            f"and at >= {low} and at < {high} and kind = any (%(kinds)s)"
        )

    def _filtered(self, measures: tuple[str, ...], *, with_earlier: bool, by_job: bool) -> str:
        parts = []
        query = replace(self._board.query, period=EVERYTHING)
        for kind in self._board.kinds:
            entity = RUNS[kind]
            selection = selection_of(entity, query, self._org_id, self._identity, excluded=(ARCHIVE_FACET.name,))
            self.values |= selection.values
            ended = entity.listing.ended
            more = ["created_at < %(high)s", f"(not is_finished or {ended} >= %(low)s)"]
            selected = f"select id from {selection.where(*more)}"
            conditions = [f"each.measure in ({_listed(measures)})", "each.at < %(high)s"]
            conditions.append(
                f"(each.at >= %(low)s or each.measure in ({_listed(GAUGES)}))" if with_earlier else "each.at >= %(low)s"
            )
            if by_job:
                conditions.append("facts.job_id is not null")
            parts.append(
                f"select '{kind}' as kind, facts.job_id, each.measure, each.at, each.bin, each.count::bigint as count "
                f"from public.{entity.table} as run cross join lateral private.facts(run) as facts "
                f"cross join lateral private.measures_of(facts) as each "
                f"where run.id in ({selected}) and {' and '.join(conditions)}"
            )
        return " union all ".join(parts)


def _listed(measures: tuple[str, ...]) -> str:
    return ", ".join(f"'{measure}'" for measure in measures)


async def _first(database: Database, identity: Identity, org_id: UUID, board: Board) -> datetime | None:
    """Return when the first run of the organisation or the job was counted, to the day; None without any."""
    noted = "job_id = %(job)s" if board.job else "true"
    wanted = "org_id = %(org)s and kind = any (%(kinds)s)"
    # One entry of the index for each measure; the planner would read all of them to find the least.
    query = f"""
        select least(
            (select min(first.at) from unnest(array[{_listed(OUTCOMES + GAUGES)}]) as known cross join lateral (
                select at from public.run_rollups
                where {wanted} and grain = 'day' and job_id = %(job)s and measure = known
                order by at limit 1) as first),
            (select min(at) from public.run_rollup_changes where {wanted} and {noted}))::text
    """
    values = {"org": org_id, "kinds": list(board.kinds), "job": board.job or EVERY_JOB}
    found = await read_as_member(database, identity, org_id, query, values)
    return datetime.fromisoformat(found) if found else None
