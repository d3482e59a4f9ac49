"""Jobs and their latest runs, read as the signed-in user."""

import statistics
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.auth.identity import Identity
from services.infra.claims import Claimant
from services.infra.database import Database
from services.text import storable

PAGE_JOBS = 50
"""Jobs of one read."""
STRIP_RUNS = 50
"""Runs of a job that are shown and from which its usual duration follows."""
MIN_USUAL_RUNS = 3
"""Completed runs that make a usual duration."""
SUCCEEDED = "completed"
FAILED = ("failed", "blocked")

# Of each kind of run: its table, and the expressions of its status, its start and its end.
_KINDS = {
    "streams": ("streams", "goal_status", "coalesce(attempt_started_at, created_at)", "finished_at"),
    "scans": ("acquisition_scans", "status", "started_at", "completed_at"),
    "agents": ("agent_executions", "status", "started_at", "completed_at"),
}
_RUNS = " union all ".join(
    f"""
    (select '{kind}' as kind, job_id, id, number, {status} as status, {started} as started_at, {ended} as finished_at,
        attempt, error
     from public.{table}
     where job_id = job.id and job.kind = '{kind}' and number <= coalesce(cast(:up_to as integer), number)
     order by number desc limit {{limit}})"""
    for kind, (table, status, started, ended) in _KINDS.items()
)
_JOBS = text(f"""
    with page as (
        select id, kind, slug, name, run_count, last_run_at from public.jobs
        where org_id = :org
            and (cast(:kind as text) is null or kind = :kind)
            and (cast(:slug as text) is null or slug = :slug)
            and (cast(:job as uuid) is null or id = :job)
            and (cast(:ids as uuid[]) is null or id = any(cast(:ids as uuid[])))
            and (:search = '' or name ilike :search or slug ilike :search)
            and (cast(:before as timestamptz) is null or (last_run_at, id) < (:before, cast(:before_id as uuid)))
        order by last_run_at desc, id desc limit :limit
    )
    select job.*, run.id as run_id, run.number, run.status, run.started_at, run.finished_at, run.attempt, run.error
    from page as job left join lateral ({_RUNS.format(limit=STRIP_RUNS)}) as run on true
    order by job.last_run_at desc, job.id desc, run.number
""")
_ALL = {
    "kind": None,
    "slug": None,
    "job": None,
    "ids": None,
    "search": "",
    "before": None,
    "before_id": None,
    "up_to": None,
    "limit": 1,
}
"""Values of `_JOBS` that select nothing."""
_JOB_OF_RUN = {
    table: text(f"select org_id, job_id, number from public.{table} where id = :run") for table, *_ in _KINDS.values()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """One run of a job; times are those of its last attempt."""

    id: UUID
    number: int
    status: str
    started_at: datetime | None
    finished_at: datetime | None
    attempt: int
    error: str | None

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it runs."""
        if self.started_at is None or self.finished_at is None:
            return None
        return max(0.0, (self.finished_at - self.started_at).total_seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """Usual duration of a job in seconds: the middle half of its `runs` completed runs, and their median."""

    low: float
    median: float
    high: float
    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job with its latest runs, oldest first; `run_count` is the number of the newest."""

    id: UUID
    kind: str
    slug: str
    name: str
    run_count: int
    last_run_at: datetime
    runs: tuple[JobRun, ...]

    @property
    def durations(self) -> list[float]:
        """Seconds that each of the completed runs took, shortest first."""
        return sorted(run.seconds for run in self.runs if run.status == SUCCEEDED and run.seconds is not None)

    @property
    def usual(self) -> Usual | None:
        """Its usual duration; None while too few runs have completed."""
        durations = self.durations
        if len(durations) < MIN_USUAL_RUNS:
            return None
        low, median, high = statistics.quantiles(durations, n=4, method="inclusive")
        return Usual(low=low, median=median, high=high, runs=len(durations))

    @property
    def outcomes(self) -> tuple[int, int]:
        """Numbers of runs that succeeded and that failed; those that were ended on purpose are neither."""
        statuses = [run.status for run in self.runs if run.finished_at is not None]
        return statuses.count(SUCCEEDED), sum(status in FAILED for status in statuses)

    @property
    def last_failure(self) -> JobRun | None:
        """The newest run that failed."""
        return next((run for run in reversed(self.runs) if run.finished_at is not None and run.status in FAILED), None)


async def jobs(
    database: Database,
    identity: Claimant,
    org_id: UUID,
    *,
    search: str = "",
    kind: str | None = None,
    slug: str | None = None,
    ids: Collection[UUID] | None = None,
    after: Job | None = None,
    limit: int = PAGE_JOBS,
) -> list[Job]:
    """Read jobs, those that ran last first.

    Args:
        database: Where to read.
        identity: The user, who sees the jobs of their organisations.
        org_id: The organisation.
        search: Text that the name or the slug must contain; empty for all.
        kind: Kind of run: streams, scans or agents; None for all.
        slug: Slug of the job; None for all.
        ids: Ids of the jobs; None for all.
        after: The last job of the page before; None for the first page.
        limit: Most jobs to return.

    Raises:
        DatabaseUnavailable: PostgreSQL did not respond.
    """
    async with database.as_user(identity) as session:
        return await _read(
            await session.connection(),
            org=org_id,
            kind=kind,
            slug=slug and storable(slug),
            ids=None if ids is None else list(ids),
            search=f"%{_escaped(storable(search))}%" if search else "",
            before=after and after.last_run_at,
            before_id=after and after.id,
            limit=limit,
        )


async def job_of_run(database: Database, identity: Identity, table: str, run_id: UUID) -> Job | None:
    """Read the job of a run with its runs up to that one; None without one, or if the user may not see it.

    Args:
        database: Where to read.
        identity: The user.
        table: Table of the run.
        run_id: Id of the run.
    """
    async with database.as_user(identity) as session:
        connection = await session.connection()
        found = (await connection.execute(_JOB_OF_RUN[table], {"run": run_id})).one_or_none()
        if found is None or found.job_id is None:
            return None
        return next(iter(await _read(connection, org=found.org_id, job=found.job_id, up_to=found.number)), None)


async def _read(connection: AsyncConnection, **given: object) -> list[Job]:
    rows = (await connection.execute(_JOBS, {**_ALL, **given})).all()
    runs: dict[UUID, list[JobRun]] = {}
    for row in rows:
        found = runs.setdefault(row.id, [])
        if row.run_id is not None:
            found.append(
                JobRun(
                    id=row.run_id,
                    number=row.number,
                    status=row.status,
                    started_at=row.started_at,
                    finished_at=row.finished_at,
                    attempt=row.attempt,
                    error=row.error,
                )
            )
    return [
        Job(
            id=row.id,
            kind=row.kind,
            slug=row.slug,
            name=row.name,
            run_count=row.run_count,
            last_run_at=row.last_run_at,
            runs=tuple(runs[row.id]),
        )
        for row in {row.id: row for row in rows}.values()
    ]


def _escaped(search: str) -> str:
    """Return a text in which `like` finds itself alone."""
    return search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
