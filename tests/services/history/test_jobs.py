"""Jobs: what follows from their runs, pages of them, and durations that are known before."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from services.entities import GoalStatus, Stream
from services.history.comparison import ComparedRun, differing
from services.history.jobs import Job, JobRun, job_of_run, jobs
from services.reading import find_stream
from tests.world import World

BEGAN = datetime(2026, 11, 26, tzinfo=UTC)


def run(number: int, status: str, seconds: float | None, error: str | None = None) -> JobRun:
    return JobRun(
        id=uuid4(),
        number=number,
        status=status,
        started_at=BEGAN,
        finished_at=None if seconds is None else BEGAN + timedelta(seconds=seconds),
        attempt=1,
        error=error,
    )


def job(*runs: JobRun) -> Job:
    return Job(id=uuid4(), kind="streams", slug="j", name="J", run_count=len(runs), last_run_at=BEGAN, runs=tuple(runs))


def test_the_usual_duration_is_that_of_completed_runs() -> None:
    few = job(run(1, "completed", 10), run(2, "completed", 20), run(3, "blocked", 1), run(4, "completed", None))
    assert (few.usual, few.outcomes) == (None, (2, 1))
    enough = job(*few.runs, run(5, "completed", 60), run(6, "cancelled", 1), run(7, "completed", -5))
    usual = enough.usual
    assert usual is not None
    assert (usual.low, usual.median, usual.high, usual.runs) == (7.5, 15, 30, 4)
    assert enough.outcomes == (4, 1)


def test_the_last_failure_is_the_newest_run_that_failed() -> None:
    assert job().last_failure is None
    found = job(run(1, "failed", 1, "a"), run(2, "blocked", 1, "b"), run(3, "blocked", None, "c"))
    assert found.last_failure is found.runs[1]


def test_a_stream_without_a_total_ends_when_its_job_usually_does() -> None:
    stream = Stream(
        org_id=uuid4(), name="x", goal_status=GoalStatus.IN_PROGRESS, created_at=BEGAN, usual_seconds=90.0, completed=3
    )
    assert stream.done_at == BEGAN + timedelta(seconds=90)
    stream.attempt_started_at = BEGAN + timedelta(hours=1)
    assert stream.done_at == BEGAN + timedelta(hours=1, seconds=90)
    stream.total = 10
    assert stream.done_at is None
    stream.total, stream.goal_status = 0, GoalStatus.COMPLETED
    assert stream.done_at is None


@pytest.mark.integration
async def test_jobs_are_read_page_by_page_with_their_latest_runs(world: World) -> None:
    org, other = await world.organization(), await world.organization()
    ada, eve = await world.person(org), await world.person(other)
    await world.sql(
        "insert into streams (org_id, slug, name) select %s, 'job-' || n %% 7 || '@' || n || 'k', 'Job ' || n %% 7 "
        "from generate_series(1, 420) as n", org,
    )  # fmt: skip
    await world.sql(
        "insert into agent_executions (org_id, stream_id, slug, agent_id, agent_name) "
        "select org_id, id, 'reader@1k', 'reader', 'Reader' from streams where org_id = %s limit 1", org,
    )  # fmt: skip
    found: list[Job] = []
    while page := await jobs(world.database, ada.identity, org, after=found[-1] if found else None, limit=3):
        found += page
    assert sorted(each.slug for each in found) == [*(f"job-{n}" for n in range(7)), "reader"]
    assert {len(each.runs) for each in found if each.kind == "streams"} == {50}
    streams = next(each for each in found if each.slug == "job-3")
    assert [each.number for each in streams.runs] == list(range(11, 61))
    assert [each.slug for each in await jobs(world.database, ada.identity, org, search="READ")] == ["reader"]
    assert await jobs(world.database, ada.identity, org, search="job_1") == []
    assert await jobs(world.database, eve.identity, org) == []
    # What people may put into an address or a search.
    for rude in ("\x00", "%", "_", "\\", "'", "\ud800", "م" * 5_000):
        assert await jobs(world.database, ada.identity, org, search=rude, kind="scans") == []
        assert await jobs(world.database, ada.identity, org, slug=rude) == []
        assert await find_stream(world.database, ada.identity, org, rude) is None
        assert await find_stream(world.database, ada.identity, org, f"job-3@{rude}") is None
    middle = streams.runs[20]
    own = await job_of_run(world.database, ada.identity, "streams", middle.id)
    assert own is not None
    assert (own.slug, [each.number for each in own.runs]) == ("job-3", list(range(1, middle.number + 1)))
    assert await job_of_run(world.database, eve.identity, "streams", middle.id) is None
    assert await find_stream(world.database, eve.identity, org, "job-3") is None


@pytest.mark.integration
async def test_a_run_knows_how_long_those_before_it_took(world: World) -> None:
    org = await world.organization()
    for seconds in (10, 20, 40, 1000):
        await world.sql("insert into streams (org_id, slug, name) values (%s, 'j@' || %s || 's', 'J')", org, seconds)
        await world.sql(
            "update streams set goal_status = 'completed', finished_at = created_at + make_interval(secs => %s) "
            "where org_id = %s and not is_finished", seconds, org,
        )  # fmt: skip
    rows = await world.sql("select number, usual_seconds from streams where org_id = %s order by number", org)
    assert rows == [(1, None), (2, None), (3, None), (4, 20)]


def test_facts_that_differ_are_told_apart() -> None:
    def compared(**facts: str) -> ComparedRun:
        return ComparedRun(run=run(1, "completed", 1), name="x", facts=facts, points=[], has_total=False)

    assert differing([compared(host="a", rows="7"), compared(rows="7", seed="1")]) == [
        ("host", ["a", ""], True),
        ("rows", ["7", "7"], False),
        ("seed", ["", "1"], True),
    ]
    assert differing([]) == []
