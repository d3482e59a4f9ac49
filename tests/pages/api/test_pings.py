"""Pings: what a line of curl tells of a job's run."""

import base64

import pytest

from pages.api.jobs.pings import MAX_LINES, lines_of
from services.schedules.watcher import watch
from tests.pages.program import Program
from tests.world import World

pytestmark = pytest.mark.integration
RUNS = "select number, goal_status, error from streams where org_id = %s order by number"


async def ping(program: Program, path: str, content: bytes = b"", *, method: str = "POST", basic: bool = False) -> int:
    token = base64.b64encode(f"{program.token}:".encode()).decode() if basic else program.token
    answer = await program._http.request(
        method,
        f"/api/v1/ping/{path}",
        content=content,
        headers={"Authorization": f"{'Basic' if basic else 'Bearer'} {token}"},
    )
    return answer.status_code


async def test_start_and_success_are_one_run_and_the_next_start_the_next(program: Program, world: World) -> None:
    assert await ping(program, "backup/start") == 201
    assert await ping(program, "backup", method="GET") == 200
    assert await ping(program, "backup/start", method="HEAD") == 201
    assert await ping(program, "backup/3", b"disk full\n") == 200
    assert await world.sql(RUNS, program.org) == [(1, "completed", None), (2, "blocked", "Exit status 3")]
    lines = await world.sql(
        "select run.number, message from log_lines as line join streams as run on run.id = line.run_id "
        "where line.org_id = %s", program.org,
    )  # fmt: skip
    assert lines == [(2, "disk full")]


async def test_an_end_without_a_start_is_a_run_of_its_own(program: Program, world: World) -> None:
    for path in ("backup", "backup/0", "backup/fail"):
        assert await ping(program, path) == 201
    assert [row[1] for row in await world.sql(RUNS, program.org)] == ["completed", "completed", "blocked"]


async def test_a_start_over_a_run_that_goes_on_ends_it_as_lost(program: Program, world: World) -> None:
    await ping(program, "backup/start")
    await ping(program, "backup/start")
    await ping(program, "backup")
    assert [row[:2] for row in await world.sql(RUNS, program.org)] == [(1, "blocked"), (2, "completed")]


async def test_lines_may_follow_before_and_after_the_end(program: Program, world: World) -> None:
    assert await ping(program, "backup/log", b"one\r\ntwo") == 201
    await ping(program, "backup", b"three\n")
    assert await ping(program, "backup/log", "vier \x00ü".encode()) == 200
    found = await world.sql("select message from log_lines where org_id = %s order by id", program.org)
    assert sorted(found) == [("one",), ("three",), ("two",), ("vier ü",)]
    assert [row[:2] for row in await world.sql(RUNS, program.org)] == [(1, "completed")]


async def test_the_key_may_be_the_name_of_basic_authentication(program: Program) -> None:
    assert await ping(program, "backup", basic=True) == 201


async def test_what_is_no_ping_is_refused_by_name(program: Program, world: World) -> None:
    for path, content, status in (
        ("backup/256", b"", 422),
        ("backup/restart", b"", 422),
        ("a b", b"", 422),
        ("backup", b"x" * 100_001, 413),
    ):
        assert await ping(program, path, content) == status
    assert await world.sql(RUNS, program.org) == []
    answer = await program.send("POST", "/ping/backup/256")
    assert 'signal is "256"' in answer.json()["error"]["message"]


async def test_one_ping_is_of_its_organisation_alone(program: Program, world: World) -> None:
    other = await world.organization()
    await ping(program, "backup")
    assert await world.sql(RUNS, other) == []
    await watch(world.database)


def test_of_a_long_output_the_end_is_kept() -> None:
    lines = lines_of(b"\n".join(b"%d" % number for number in range(600)))
    assert len(lines) == MAX_LINES
    assert lines[:2] == ["(101 lines before this one are left out.)", "101"]
    assert [len(each) for each in lines_of(b"x" * 4100)] == [2000, 2000, 100]
    assert lines_of(b"\n") == lines_of(b"") == []
