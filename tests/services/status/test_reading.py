"""What is public of chosen jobs: their state, days and incidents, under public names, and nothing else."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from services.errors import PermissionDenied, TooFast
from services.people.models import Role
from services.status.pages import (
    ChosenJob,
    StatusPageDraft,
    add_note,
    end_note,
    put_status_page,
    remove_status_page,
    renew_link,
    status_pages,
)
from services.status.reading import READS, Health, JobState, PublicStatus, StatusReadings, judge, status_of
from tests.world import Person, World

pytestmark = pytest.mark.integration
HERE = "192.0.2.1"


async def a_run(world: World, org: UUID, slug: str, status: str = "completed", *, error: str | None = None) -> UUID:
    """Insert a scan of the job with the slug; returns the job."""
    id = uuid4()
    await world.sql(
        "insert into acquisition_scans (id, org_id, slug, name, status, started_at, completed_at, error) "
        "values (%s, %s, %s, %s, %s, now() - interval '1 minute', "
        "case when %s in ('completed', 'failed', 'stopped') then now() end, %s)",
        *(id, org, slug, f"internal {slug}", status, status, error),
    )
    ((job,),) = await world.sql("select job_id from acquisition_scans where id = %s", id)
    return UUID(str(job))


async def a_page(world: World, admin: Person, org: UUID, *jobs: UUID, is_enabled: bool = True) -> tuple[UUID, str]:
    """Make a page of jobs; returns its id and its token."""
    chosen = tuple(ChosenJob(id=job, name=f"Public {at}") for at, job in enumerate(jobs))
    draft = StatusPageDraft(title="Ours", about="What we run.", is_enabled=is_enabled, jobs=chosen)
    id = await put_status_page(world.database, admin.identity, org, draft)
    (token,) = [each.token for each in await status_pages(world.database, admin.identity, org) if each.id == id]
    assert token
    return id, token


async def read(world: World, token: str) -> PublicStatus | None:
    async with StatusReadings(world.database) as readings:
        return await readings.read(token, address=HERE)


async def test_a_page_shows_its_chosen_jobs_under_public_names_and_nothing_else(world: World) -> None:
    org, other = await world.organization("Secret name"), await world.organization("Others")
    admin = await world.person(org, role=Role.ADMIN)
    good = await a_run(world, org, "good")
    bad = await a_run(world, org, "bad", "failed", error="password=hunter2")
    await a_run(world, org, "hidden", "failed")
    await a_run(world, other, "good", "failed")
    _, token = await a_page(world, admin, org, good, bad)
    status = await read(world, token)
    assert status
    assert [(each.name, each.state) for each in status.jobs] == [("Public 0", "succeeded"), ("Public 1", "failed")]
    assert status.sentence == "1 of 2 has a problem"
    today = status.jobs[1].days[-1]
    assert (len(status.jobs[1].days), today.on, today.failed, today.succeeded) == (90, datetime.now(UTC).date(), 1, 0)
    async with world.database.as_app() as session:
        raw = await (await session.connection()).execute(text("select private.read_status_page(:t)"), {"t": token})
        said = json.dumps(raw.scalar_one())
    assert not [
        each for each in ("internal", "hunter2", "hidden", "Secret name", admin.email, str(org)) if each in said
    ]


async def test_days_count_runs_before_and_after_they_are_folded_alike(world: World) -> None:
    org = await world.organization()
    admin = await world.person(org, role=Role.ADMIN)
    job = await a_run(world, org, "nightly")
    _, token = await a_page(world, admin, org, job)
    before = await read(world, token)
    await world.sql("select private.fold_rollups(1000000)")
    await a_run(world, org, "nightly-202611270000", "failed")
    after = await read(world, token)
    assert before
    assert after
    assert [(each.jobs[0].days[-1].succeeded, each.jobs[0].days[-1].failed) for each in (before, after)] == [
        (1, 0),
        (1, 1),
    ]


async def test_a_link_leads_nowhere_once_its_page_is_off_renewed_or_removed(world: World) -> None:
    org = await world.organization()
    admin = await world.person(org, role=Role.ADMIN)
    job = await a_run(world, org, "nightly")
    id, token = await a_page(world, admin, org, job)
    assert await read(world, token)
    for odd in ("", token[:-1], token + "A", token.swapcase(), "A" * 43, "x" * 10_240, "\0" * 43, "é" * 43):
        assert await read(world, odd) is None
    await renew_link(world.database, admin.identity, org, id)
    assert await read(world, token) is None
    (renewed,) = await status_pages(world.database, admin.identity, org)
    assert renewed.token
    assert await read(world, renewed.token)
    draft = StatusPageDraft(title="Ours", is_enabled=False, jobs=renewed.jobs)
    await put_status_page(world.database, admin.identity, org, draft, id=id)
    assert await read(world, renewed.token) is None
    await remove_status_page(world.database, admin.identity, org, id)
    assert await read(world, renewed.token) is None
    assert await status_pages(world.database, admin.identity, org) == []


async def test_only_admins_publish_and_see_links_and_no_one_of_another_organisation_does(world: World) -> None:
    org, other = await world.organization(), await world.organization()
    admin, operator = await world.person(org, role=Role.ADMIN), await world.person(org)
    stranger = await world.person(other, role=Role.ADMIN)
    job, foreign = await a_run(world, org, "nightly"), await a_run(world, other, "nightly")
    id, _ = await a_page(world, admin, org, job)
    assert [each.token for each in await status_pages(world.database, operator.identity, org)] == [None]
    assert await status_pages(world.database, stranger.identity, org) == []
    draft = StatusPageDraft(title="Mine", is_enabled=True)
    for person in (operator, stranger):
        with pytest.raises(PermissionDenied):
            await put_status_page(world.database, person.identity, org, draft, id=id)
        with pytest.raises(PermissionDenied):
            await renew_link(world.database, person.identity, org, id)
    with pytest.raises(Exception, match="one of its jobs is gone"):
        await a_page(world, stranger, other, foreign, job)
    with pytest.raises(Exception, match="removed"):
        await put_status_page(world.database, stranger.identity, other, draft, id=id)
    with pytest.raises(PermissionDenied):
        async with world.database.as_user(admin.identity) as session:
            await (await session.connection()).execute(text("select private.read_status_page('x')"))


async def test_operators_write_notes_and_viewers_and_strangers_do_not(world: World) -> None:
    org, other = await world.organization(), await world.organization()
    admin, operator = await world.person(org, role=Role.ADMIN), await world.person(org)
    id, token = await a_page(world, admin, org, await a_run(world, org, "nightly"))
    for person in (await world.person(org, role=Role.VIEWER), await world.person(other, role=Role.ADMIN)):
        with pytest.raises(PermissionDenied):
            await add_note(world.database, person.identity, org, id, title="No", body="")
    note = await add_note(world.database, operator.identity, org, id, title="Disk", body="We add one.")
    status = await read(world, token)
    assert status
    assert [(each.title, each.body, each.resolved_at) for each in status.notes] == [("Disk", "We add one.", None)]
    await end_note(world.database, operator.identity, org, note)
    status = await read(world, token)
    assert status
    assert status.notes[0].resolved_at
    await end_note(world.database, operator.identity, org, note, is_removed=True)
    status = await read(world, token)
    assert status
    assert status.notes == ()


async def test_incidents_of_chosen_jobs_are_shown(world: World) -> None:
    org = await world.organization()
    admin = await world.person(org, role=Role.ADMIN)
    job, hidden = await a_run(world, org, "nightly", "scanning"), await a_run(world, org, "hidden", "scanning")
    for each in (job, hidden):
        await world.sql(
            "insert into incidents (org_id, kind, subject_table, subject_id, subject_name, job_id, began_at) "
            "values (%s, 'unreachable', 'acquisition_scans', %s, 'internal', %s, now())",
            *(org, uuid4(), each),
        )
    _, token = await a_page(world, admin, org, job)
    status = await read(world, token)
    assert status
    assert [(each.name, each.kind, each.recovered_at) for each in status.incidents] == [
        ("Public 0", "unreachable", None)
    ]


async def test_the_same_page_is_read_once_within_ten_seconds_and_strangers_are_slowed(world: World) -> None:
    org = await world.organization()
    admin = await world.person(org, role=Role.ADMIN)
    _, token = await a_page(world, admin, org, await a_run(world, org, "nightly"))
    now = 100.0
    async with StatusReadings(world.database, clock=lambda: now) as readings:
        first, second = await asyncio.gather(*(readings.read(token, address=HERE) for _ in range(2)))
        assert first is second
        now += 9
        assert await readings.read(token, address=HERE) is first
        now += 1
        assert await readings.read(token, address=HERE) is not first
        for at in range(READS.burst - 1):
            assert await readings.read(f"{at:043}", address=HERE) is None
        with pytest.raises(TooFast):
            await readings.read("B" * 43, address=HERE)
        assert await readings.read(token, address=HERE)
        assert await readings.read("B" * 43, address="192.0.2.2") is None


def run(outcome: str | None, *incidents: str, is_late: bool = False, before: str | None = None) -> dict[str, Any]:
    last = {"outcome": outcome, "incidents": list(incidents), "has_begun": True}
    ended = outcome or before
    return {"is_late": is_late, "last": last, "ended": {"outcome": ended, "at": None} if ended else None}


@pytest.mark.parametrize(
    ("found", "state", "health"),
    [
        (run("succeeded"), JobState.SUCCEEDED, Health.WELL),
        (run("succeeded", is_late=True), JobState.LATE, Health.PROBLEM),
        (run("failed", is_late=True), JobState.FAILED, Health.PROBLEM),
        (run("stopped"), JobState.STOPPED, Health.UNKNOWN),
        (run(None), JobState.RUNNING, Health.UNKNOWN),
        (run(None, before="succeeded"), JobState.RUNNING, Health.WELL),
        (run(None, before="failed"), JobState.RUNNING, Health.PROBLEM),
        (run(None, "slow", before="succeeded"), JobState.RUNNING, Health.WELL),
        (run(None, "unreachable", before="succeeded"), JobState.UNREACHABLE, Health.PROBLEM),
        (run(None, "stalled", "overdue"), JobState.OVERDUE, Health.PROBLEM),
        ({"is_late": False, "last": None, "ended": None}, JobState.NEVER_RAN, Health.UNKNOWN),
    ],
)
def test_a_job_is_well_only_if_its_latest_end_says_so(found: dict[str, Any], state: JobState, health: Health) -> None:
    assert judge(found) == (state, health)


@pytest.mark.parametrize(
    ("runs", "sentence"),
    [
        ([], "Nothing is known"),
        ([run("succeeded")], "All is well"),
        ([run("succeeded"), run("stopped")], "The state of 1 of 2 is not known"),
        ([run("failed"), run("failed"), run("stopped")], "2 of 3 have a problem"),
    ],
)
def test_the_page_never_says_well_when_that_is_not_known(runs: list[dict[str, Any]], sentence: str) -> None:
    jobs = [{"name": "A", "kind": "scans", "slug": "a", "run": each, "days": {}} for each in runs]
    at = "2026-11-27T00:30:00+01:00"
    status = status_of({"title": "T", "about": "", "at": at, "jobs": jobs, "incidents": [], "notes": []})
    assert status.sentence == sentence
    assert all(str(each.days[-1].on) == "2026-11-26" for each in status.jobs)
