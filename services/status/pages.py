"""Status pages of an organisation and their notes, read and written as a person."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from services.auth.identity import Identity
from services.errors import NotFound
from services.infra.database import Database
from services.infra.postgres.refusals import refusable

_READ = text("""
    select page.id, page.title, page.about, page.is_enabled, (
        select link.token from public.status_page_links as link where link.page_id = page.id
    ) as token, coalesce((
        select jsonb_agg(jsonb_build_object('id', chosen.job_id, 'name', chosen.public_name, 'kind', job.kind,
            'slug', job.slug) order by chosen.position)
        from public.status_page_jobs as chosen join public.jobs as job on job.id = chosen.job_id
        where chosen.page_id = page.id), '[]') as jobs
    from public.status_pages as page where page.org_id = :org order by lower(page.title), page.id
""")
_JOBS = text("""
    select id, kind, slug, name from public.jobs where org_id = :org order by last_run_at desc, id limit 500
""")
_NOTES = text("""
    select id, title, body, created_at, resolved_at from public.status_notes
    where page_id = :page and org_id = :org order by created_at desc, id limit 50
""")
_PUT = text("select public.put_status_page(:org, :page, :title, :about, :enabled, cast(:jobs as jsonb))")
_RENEW = text("select public.renew_status_link(:org, :page)")
_REMOVE = text("select public.remove_status_page(:org, :page)")
_ADD_NOTE = text("select public.add_status_note(:org, :page, :title, :body)")
_END_NOTE = text("select public.end_status_note(:org, :note, :is_removed)")
GONE = "The status page was removed by somebody else."


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenJob:
    """A job on a status page; `name` is its public one."""

    id: UUID
    name: str
    kind: str = ""
    slug: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPageDraft:
    """What an admin writes of a status page."""

    title: str
    about: str = ""
    is_enabled: bool = False
    jobs: tuple[ChosenJob, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPage(StatusPageDraft):
    """A status page of an organisation; `token` is that of its link, None unless the user is an admin."""

    id: UUID
    token: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusNote:
    """A note for the public; open while `resolved_at` is None."""

    id: UUID
    title: str
    body: str
    created_at: datetime
    resolved_at: datetime | None


async def status_pages(database: Database, identity: Identity, org_id: UUID) -> list[StatusPage]:
    """Read the status pages of an organisation by title; raises DatabaseUnavailable."""
    async with database.as_user(identity) as session:
        rows = (await (await session.connection()).execute(_READ, {"org": org_id})).mappings().all()
    return [
        StatusPage(**{**row, "jobs": tuple(ChosenJob(**{**each, "id": UUID(each["id"])}) for each in row["jobs"])})
        for row in rows
    ]


async def jobs_to_choose(database: Database, identity: Identity, org_id: UUID) -> list[ChosenJob]:
    """Read the 500 jobs that ran last, under their own names; raises DatabaseUnavailable."""
    async with database.as_user(identity) as session:
        rows = (await (await session.connection()).execute(_JOBS, {"org": org_id})).mappings().all()
    return [ChosenJob(**row) for row in rows]


async def put_status_page(
    database: Database, identity: Identity, org_id: UUID, draft: StatusPageDraft, *, id: UUID | None = None
) -> UUID:
    """Make a status page, or change the one with `id`; returns its id.

    Raises:
        PermissionDenied: The user is no admin.
        NotAccepted: A job is gone, or there are too many jobs or pages.
        NotFound: The page was removed.
        DatabaseUnavailable: PostgreSQL did not respond.
    """
    values = {
        "org": org_id,
        "page": id,
        "title": draft.title,
        "about": draft.about,
        "enabled": draft.is_enabled,
        "jobs": json.dumps([{"id": str(each.id), "name": each.name} for each in draft.jobs]),
    }
    async with refusable(database, identity) as connection:
        return UUID(str((await connection.execute(_PUT, values)).scalar_one()))


async def renew_link(database: Database, identity: Identity, org_id: UUID, id: UUID) -> None:
    """Have the present link lead nowhere, and make a new one; raises PermissionDenied, or NotFound if it is gone."""
    async with refusable(database, identity) as connection:
        if not (await connection.execute(_RENEW, {"org": org_id, "page": id})).scalar_one():
            raise NotFound(GONE)


async def remove_status_page(database: Database, identity: Identity, org_id: UUID, id: UUID) -> None:
    """Remove a page with its notes; raises PermissionDenied, or NotFound if it is gone."""
    async with refusable(database, identity) as connection:
        if not (await connection.execute(_REMOVE, {"org": org_id, "page": id})).scalar_one():
            raise NotFound(GONE)


async def status_notes(database: Database, identity: Identity, org_id: UUID, page_id: UUID) -> Sequence[StatusNote]:
    """Read the newest 50 notes of a page, newest first; raises DatabaseUnavailable."""
    async with database.as_user(identity) as session:
        found = await (await session.connection()).execute(_NOTES, {"org": org_id, "page": page_id})
        return [StatusNote(**row) for row in found.mappings()]


async def add_note(
    database: Database, identity: Identity, org_id: UUID, page_id: UUID, *, title: str, body: str
) -> UUID:
    """Publish a note on a page; raises PermissionDenied, or NotFound if the page is gone."""
    values = {"org": org_id, "page": page_id, "title": title, "body": body}
    async with refusable(database, identity) as connection:
        return UUID(str((await connection.execute(_ADD_NOTE, values)).scalar_one()))


async def end_note(database: Database, identity: Identity, org_id: UUID, id: UUID, *, is_removed: bool = False) -> None:
    """Note that what a note tells of is over, or remove it; raises PermissionDenied, or NotFound if it is gone."""
    async with refusable(database, identity) as connection:
        values = {"org": org_id, "note": id, "is_removed": is_removed}
        if not (await connection.execute(_END_NOTE, values)).scalar_one():
            raise NotFound("The note was removed by somebody else.")
