"""Schedules of jobs, read and written as a person or a key."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.errors import NotFound
from services.infra.claims import Claimant
from services.infra.database import Database
from services.infra.postgres.refusals import refusable
from services.schedules.plan import Plan

PAGE_SCHEDULES = 50
"""Schedules of one read."""
_PUT = text("select to_jsonb(public.put_schedule(:org, :kind, :slug, cast(:given as jsonb)))")
_PAUSE = text("select public.pause_schedule(:org, :kind, :slug, :paused)")
_REMOVE = text("select public.remove_schedule(:org, :kind, :slug)")
_READ = text("""
    select one.*, job.name, job.run_count, job.last_run_at
    from public.schedules as one join public.jobs as job on job.id = one.job_id
    where one.org_id = :org
        and (cast(:kind as text) is null or one.kind = :kind)
        and (cast(:slug as text) is null or one.slug = :slug)
    order by one.late_since nulls last, one.next_due_at nulls last, one.id
    limit :limit offset :offset
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The schedule of a job; times are as the watcher computed them last.

    `late_since` is the due time that was missed, while no run has begun since. `last_run_at` is None for a job that has
    not run yet.
    """

    id: UUID
    job_id: UUID
    kind: str
    slug: str
    name: str
    plan: Plan
    paused_at: datetime | None
    next_due_at: datetime | None
    late_at: datetime | None
    late_since: datetime | None
    last_run_at: datetime | None

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "Schedule":
        """Return the schedule of a row joined with its job."""
        names = (
            "id", "job_id", "kind", "slug", "name", "paused_at", "next_due_at", "late_at", "late_since",
        )  # fmt: skip
        return cls(
            **{name: record[name] for name in names},
            plan=Plan.of_record(record),
            last_run_at=record["last_run_at"] if record["run_count"] else None,
        )


async def schedules(
    database: Database,
    who: Claimant,
    org_id: UUID,
    *,
    kind: str | None = None,
    slug: str | None = None,
    limit: int = PAGE_SCHEDULES,
    offset: int = 0,
) -> list[Schedule]:
    """Read schedules: those that are late first, then those that are due next, and the paused ones last.

    Args:
        database: Where to read.
        who: A member of the organisation, or one of its keys.
        org_id: The organisation.
        kind: Kind of the jobs; None for all.
        slug: Slug of the job; None for all.
        limit: Most schedules to return.
        offset: How many to leave out before.

    Raises:
        DatabaseUnavailable: PostgreSQL did not respond.
    """
    values = {"org": org_id, "kind": kind, "slug": slug, "limit": limit, "offset": offset}
    async with database.as_user(who) as session:
        rows = (await (await session.connection()).execute(_READ, values)).mappings().all()
    return [Schedule.of_record(dict(row)) for row in rows]


async def put_schedule(
    database: Database, who: Claimant, org_id: UUID, kind: str, slug: str, *, plan: Plan
) -> Schedule:
    """Create or change the schedule of a job, which need not have run yet; returns it.

    Raises:
        PermissionDenied: `who` is no operator, no admin and no key that reports runs.
        DatabaseUnavailable: PostgreSQL did not respond.
    """
    values = {"org": org_id, "kind": kind, "slug": slug, "given": json.dumps(plan.as_json)}
    async with refusable(database, who) as connection:
        await connection.execute(_PUT, values)
        return await _one(connection, org_id, kind, slug)


async def pause_schedule(
    database: Database, who: Claimant, org_id: UUID, kind: str, slug: str, *, paused: bool
) -> Schedule:
    """Pause or resume the schedule of a job; idempotent. Raises NotFound if it has none, else like `put_schedule`."""
    async with refusable(database, who) as connection:
        await connection.execute(_PAUSE, {"org": org_id, "kind": kind, "slug": slug, "paused": paused})
        return await _one(connection, org_id, kind, slug)


async def remove_schedule(database: Database, who: Claimant, org_id: UUID, kind: str, slug: str) -> None:
    """Remove the schedule of a job; raises NotFound if it has none, else like `put_schedule`."""
    async with refusable(database, who) as connection:
        removed = await connection.execute(_REMOVE, {"org": org_id, "kind": kind, "slug": slug})
        if not removed.scalar_one():
            raise _no_schedule(kind, slug)


async def _one(connection: AsyncConnection, org_id: UUID, kind: str, slug: str) -> Schedule:
    values = {"org": org_id, "kind": kind, "slug": slug, "limit": 1, "offset": 0}
    row = (await connection.execute(_READ, values)).mappings().one_or_none()
    if row is None:
        raise _no_schedule(kind, slug)
    return Schedule.of_record(dict(row))


def _no_schedule(kind: str, slug: str) -> NotFound:
    return NotFound(f"The job {kind}/{slug} has no schedule. Create one on its page.")
