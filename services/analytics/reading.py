"""Reading what a board shows, as a member."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from services.analytics.board import Board
from services.analytics.board_query import EVERY_JOB, GAUGES, OUTCOMES, board_query
from services.analytics.range_parts import RangeParts, parts_of
from services.auth.identity import Identity
from services.infra.database import Database
from services.lists.as_member import read_as_member
from services.period import zone_of

ALERT_TYPES = 6
"""Types of alert that are shown apart, the most frequent ones."""


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
        ended: Number of runs by part, kind and outcome.
        durations: Number of completed runs by part and bin of duration.
        gauges: Change of the numbers of running and waiting runs by part (-1: before the range) and measure.
        jobs: The busiest jobs, most runs first.
        failures: Number of failed runs by weekday (0: Monday) and hour.
        alerts: Number of alerts by part and type.
        amounts: Sum of what runs logged by part, kind and metric, of tokens and cost; only where something was logged.
    """

    parts: RangeParts | None
    zone: str
    ended: Mapping[tuple[int, str, str], int] = field(default_factory=dict)
    durations: Mapping[int, Counter[int]] = field(default_factory=dict)
    gauges: Mapping[tuple[int, str], int] = field(default_factory=dict)
    jobs: tuple[JobRuns, ...] = ()
    failures: Mapping[tuple[int, int], int] = field(default_factory=dict)
    alerts: Mapping[tuple[int, str], int] = field(default_factory=dict)
    amounts: Mapping[tuple[int, str, str], float] = field(default_factory=dict)


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
    query, values = board_query(board, parts, org_id, identity)
    found = await read_as_member(database, identity, org_id, query, {**values, "zone": zone})
    return _reading(parts, zone, found)


def _reading(parts: RangeParts, zone: str, found: Mapping[str, Any]) -> Reading:
    ended: dict[tuple[int, str, str], int] = {}
    gauges: Counter[tuple[int, str]] = Counter()
    durations: dict[int, Counter[int]] = {}
    for place, kind, measure, bin, count in found["cells"]:
        # What adds up to nothing was taken away again.
        if not count:
            continue
        if kind is None:
            durations.setdefault(place - 1, Counter())[bin] = count
        elif measure in GAUGES:
            gauges[place - 1, measure] += count
        else:
            ended[place - 1, kind, measure] = count
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
        durations=durations,
        jobs=tuple(sorted(jobs.values(), key=lambda job: (-job.total, job.kind, job.slug or ""))),
        failures={(day, hour): count for day, hour, count in found.get("failures", ())},
        alerts={(place - 1, type): count for place, type, count in found.get("alerts", ())},
        amounts={(place - 1, kind, name): float(total) for place, kind, name, total in found.get("amounts", ())},
    )


async def _first(database: Database, identity: Identity, org_id: UUID, board: Board) -> datetime | None:
    """Return when the first run of the organisation or the job was counted, to the day; None without any."""
    noted = "job_id = %(job)s" if board.job else "true"
    wanted = "org_id = %(org)s and kind = any (%(kinds)s)"
    # One entry of the index for each measure; the planner would read all of them to find the least.
    query = f"""
        select least(
            (select min(first.at) from unnest(%(measures)s::text[]) as known cross join lateral (
                select at from public.run_rollups
                where {wanted} and grain = 'day' and job_id = %(job)s and measure = known
                order by at limit 1) as first),
            (select min(at) from public.run_rollup_changes where {wanted} and {noted}))::text
    """
    values: dict[str, Any] = {"org": org_id, "kinds": list(board.kinds), "job": board.job or EVERY_JOB}
    values["measures"] = [*OUTCOMES, *GAUGES]
    found = await read_as_member(database, identity, org_id, query, values)
    return datetime.fromisoformat(found) if found else None
