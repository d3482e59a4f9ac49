"""Endpoints of the schedules of jobs."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field

from pages.api import fields
from pages.api.models import ScheduleReport
from pages.api.requests import Key
from services.errors import DatabaseUnavailable, IngestRefused, NotFound, PermissionDenied
from services.infra.database import Database
from services.ingest import Code, Ingest, IngestKey, KeyScope
from services.schedules.schedules import Schedule, pause_schedule, put_schedule, remove_schedule, schedules

Kind = Annotated[Literal["streams", "scans", "agents"], Path(description="Kind of the job's runs.")]
JobSlug = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9._:-]+$",
        max_length=fields.MAX_SLUG_CHARACTERS,
        description="Slug of the job.",
        examples=["nightly-import"],
    ),
]
PATH = "/jobs/{kind}/{slug}/schedule"
UNAVAILABLE_RETRY_SECONDS = 2.0


class ScheduleState(BaseModel):
    """The schedule of a job, with what the watcher computed of it."""

    kind: str
    slug: str
    cron: str | None = Field(description="Cron line of five fields; null for an interval.")
    every_seconds: float | None = Field(description="Seconds between two runs; null for a cron line.")
    zone: str
    grace_seconds: float
    max_seconds: float | None
    is_paused: bool
    next_due_at: datetime | None = Field(description="Null for some seconds after a change, and while it is paused.")
    late_since: datetime | None = Field(description="Due time that was missed, while no run has begun since.")
    last_run_at: datetime | None
    url: str = Field(description="Path of the job's page.")

    @classmethod
    def of(cls, schedule: Schedule) -> "ScheduleState":
        """Return the answer for a schedule."""
        plan = schedule.plan
        return cls(
            kind=schedule.kind,
            slug=schedule.slug,
            cron=plan.cron or None,
            every_seconds=plan.every_seconds,
            zone=plan.zone,
            grace_seconds=plan.grace_seconds,
            max_seconds=plan.max_seconds,
            is_paused=schedule.paused_at is not None,
            next_due_at=schedule.next_due_at,
            late_since=schedule.late_since,
            last_run_at=schedule.last_run_at,
            url=f"/jobs/{schedule.kind}/{schedule.slug}",
        )


class Removed(BaseModel):
    """Result of removing a schedule."""

    kind: str
    slug: str


def add_schedule_routes(router: APIRouter) -> None:
    """Add the endpoints of schedules."""

    @router.get(PATH, response_model=ScheduleState, summary="Get the schedule of a job")
    async def get_schedule(kind: Kind, slug: JobSlug, key: Key, request: Request) -> ScheduleState:
        """Needs the scope `read` or `runs`."""
        await _authorize(request, key, KeyScope.READ, KeyScope.RUNS)
        with _as_refusals():
            found = await schedules(_database(request), key, key.org_id, kind=kind, slug=slug, limit=1)
        if not found:
            raise IngestRefused(Code.NOT_FOUND, f"The job {kind}/{slug} has no schedule: create it with PUT.")
        return ScheduleState.of(found[0])

    @router.put(PATH, response_model=ScheduleState, summary="Create or change the schedule of a job")
    async def change_schedule(
        kind: Kind, slug: JobSlug, report: ScheduleReport, key: Key, request: Request
    ) -> ScheduleState:
        """The job need not have run yet. What is left out gets its default. Needs the scope `runs`."""
        await _authorize(request, key, KeyScope.RUNS)
        with _as_refusals():
            return ScheduleState.of(
                await put_schedule(_database(request), key, key.org_id, kind, slug, plan=report.plan)
            )

    _add_pause(router, "pause", paused=True)
    _add_pause(router, "resume", paused=False)

    @router.delete(PATH, response_model=Removed, summary="Remove the schedule of a job")
    async def delete_schedule(kind: Kind, slug: JobSlug, key: Key, request: Request) -> Removed:
        """Its runs stay. Needs the scope `runs`."""
        await _authorize(request, key, KeyScope.RUNS)
        with _as_refusals():
            await remove_schedule(_database(request), key, key.org_id, kind, slug)
        return Removed(kind=kind, slug=slug)


def _add_pause(router: APIRouter, verb: str, *, paused: bool) -> None:
    @router.post(f"{PATH}/{verb}", response_model=ScheduleState, summary=f"{verb.capitalize()} the schedule of a job")
    async def change_pause(kind: Kind, slug: JobSlug, key: Key, request: Request) -> ScheduleState:
        """A paused schedule is never late. Needs the scope `runs`."""
        await _authorize(request, key, KeyScope.RUNS)
        with _as_refusals():
            return ScheduleState.of(
                await pause_schedule(_database(request), key, key.org_id, kind, slug, paused=paused)
            )


async def _authorize(request: Request, key: IngestKey, *scopes: KeyScope) -> None:
    if not key.scopes.intersection(scopes):
        wanted = " or ".join(repr(scope.value) for scope in scopes)
        raise IngestRefused(Code.SCOPE, f"This key lacks the scope {wanted}. An admin creates keys under Settings.")
    ingest: Ingest = request.app.state.ingest
    await ingest.record_use(key)


def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


@contextmanager
def _as_refusals() -> Iterator[None]:
    try:
        yield
    except NotFound as error:
        raise IngestRefused(Code.NOT_FOUND, str(error)) from error
    except PermissionDenied as error:
        raise IngestRefused(Code.BAD_KEY, "This key was revoked; an admin creates keys under Settings.") from error
    except DatabaseUnavailable as error:
        raise IngestRefused(
            Code.UNAVAILABLE, f"Nothing was written; try again. {error}", retry_after=UNAVAILABLE_RETRY_SECONDS
        ) from error
