"""Jobs and their runs: which report begins the next run, which continues one, and which comes too late."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from tests.pages.program import Program, refused
from tests.world import World

pytestmark = pytest.mark.integration

TABLES = {"streams": "streams", "scans": "acquisition_scans", "agents": "agent_executions"}


async def runs(
    world: World, program: Program, job: str, columns: str = "number, run.slug", kind: str = "streams"
) -> Any:
    """Read the runs of a job in their order."""
    return await world.sql(
        f"select {columns} from {TABLES[kind]} as run join jobs on jobs.id = run.job_id "
        "where jobs.org_id = %s and jobs.kind = %s and jobs.slug = %s order by number",
        program.org, kind, job,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["streams", "scans", "agents"])
async def test_a_report_after_the_end_begins_the_next_run(program: Program, world: World, kind: str) -> None:
    first = (await program.put(f"/{kind}/nightly")).json()["id"]
    await program.post(f"/{kind}/nightly/finish")
    second = await program.put(f"/{kind}/nightly")
    assert second.status_code == 201
    await program.post(f"/{kind}/nightly/finish")
    third = await program.put(f"/{kind}/nightly")
    again = await program.put(f"/{kind}/nightly")
    assert (third.status_code, again.status_code) == (201, 200)
    assert await runs(world, program, "nightly", "number, run.slug, is_finished", kind) == [
        (1, "nightly@1", True),
        (2, "nightly@2", True),
        (3, "nightly", False),
    ]
    assert len({first, second.json()["id"], third.json()["id"]}) == 3
    assert again.json()["id"] == third.json()["id"]
    assert await world.sql("select run_count from jobs where org_id = %s and kind = %s and slug = 'nightly'",
                           program.org, kind) == [(3,)]  # fmt: skip


async def test_runs_with_keys_stand_beside_each_other(program: Program, world: World) -> None:
    for key in ("a", "b"):
        assert (await program.put(f"/streams/nightly@{key}", name="Nightly", total=4)).status_code == 201
    await program.put("/streams/nightly@a", advance=1)
    await program.put("/streams/nightly@b", advance=3)
    assert (await program.post("/heartbeats", runs=["streams/nightly@a"])).json()["alive"] == ["streams/nightly@a"]
    await program.post("/logs", run="streams/nightly@b", lines=[{"message": "hello"}])
    await program.put("/scans/s@a", stream="nightly@a")
    assert await runs(world, program, "nightly", "number, run.slug, completed") == [
        (1, "nightly@a", 1),
        (2, "nightly@b", 3),
    ]
    owners = await world.sql(
        "select stream.slug from acquisition_scans as scan join streams as stream on stream.id = scan.stream_id "
        "where scan.org_id = %s union all select stream.slug from log_lines as line "
        "join streams as stream on stream.id = line.run_id where line.org_id = %s", program.org, program.org,
    )  # fmt: skip
    assert owners == [("nightly@a",), ("nightly@b",)]
    assert await world.sql("select name, run_count from jobs where org_id = %s and kind = 'streams'", program.org) == [
        ("Nightly", 2)
    ]


@pytest.mark.parametrize("address", ["nightly@a", "nightly@1", "nightly@{id}"])
async def test_a_late_report_that_names_its_run_is_rejected(program: Program, world: World, address: str) -> None:
    id = (await program.put("/streams/nightly@a")).json()["id"]
    await program.post("/streams/nightly@a/finish", status="blocked", error="disk full")
    path = f"/streams/{address.format(id=id)}"
    assert "nightly@ and a new key" in refused(await program.put(path, advance=1), 409, "finished")
    refused(await program.post(f"{path}/finish"), 409, "finished")
    assert await runs(world, program, "nightly", "number, completed, error") == [(1, 0, "disk full")]


async def test_a_run_is_reached_by_its_number_and_id(program: Program, world: World) -> None:
    id = (await program.put("/streams/nightly@a")).json()["id"]
    await program.put("/streams/nightly@1", advance=1)
    await program.put(f"/streams/nightly@{id}", advance=1)
    assert await runs(world, program, "nightly", "number, run.slug, completed") == [(1, "nightly@a", 2)]
    # No run has this number: it is a key of the program's own.
    assert (await program.put("/streams/nightly@20261126")).status_code == 201
    assert await runs(world, program, "nightly") == [(1, "nightly@a"), (2, "nightly@20261126")]


async def test_the_number_of_a_retired_run_may_be_taken(program: Program, world: World) -> None:
    await program.put("/streams/nightly")
    await program.put("/streams/nightly@1.5")
    await program.post("/streams/nightly/finish")
    await world.sql("update streams set slug = 'nightly@1' where org_id = %s and slug = 'nightly@1.5'", program.org)
    assert (await program.put("/streams/nightly")).status_code == 201
    assert await runs(world, program, "nightly") == [(1, "nightly@1.1"), (2, "nightly@1"), (3, "nightly")]


async def test_a_report_that_was_made_before_the_end_begins_no_run(program: Program, world: World) -> None:
    await program.put("/streams/nightly")
    await program.post("/streams/nightly/finish")
    late = {"method": "PUT", "path": "/streams/nightly", "body": {"advance": 1}, "age": 60}
    (result,) = (await program.post("/batch", operations=[late])).json()["results"]
    assert (result["status"], result["body"]["error"]["code"]) == (409, "finished")
    refused(await program.put("/streams/nightly", advance=1, begins=False), 409, "finished")
    assert await runs(world, program, "nightly") == [(1, "nightly")]
    refused(await program.put("/streams/other", advance=1, begins=False), 404, "not_found")
    assert await runs(world, program, "other") == []


async def test_a_later_attempt_continues_its_run(program: Program, world: World) -> None:
    path = "/streams/nightly@a"
    await program.put(path, total=10, completed=7)
    await program.post(f"{path}/finish", status="blocked", error="disk full")
    assert (await program.put(path, attempt=2, total=10)).status_code == 200
    await program.put(path, advance=2)
    (row,) = await runs(world, program, "nightly", "number, attempt, completed, error, is_finished, attempts")
    assert row[:5] == (1, 2, 2, None, False)
    (earlier,) = row[5]
    assert (earlier["number"], earlier["status"], earlier["error"]) == (1, "blocked", "disk full")
    assert earlier["started_at"] < earlier["finished_at"]
    assert "attempt 1 is over" in refused(await program.put(path, attempt=1, advance=1), 409, "finished", "attempt")
    # One that begins while the earlier one was never ended.
    await program.put(path, attempt=3)
    await program.post(f"{path}/finish")
    assert await runs(world, program, "nightly", "attempt, completed, jsonb_array_length(attempts), goal_status") == [
        (3, 0, 2, "completed")
    ]


async def test_a_later_attempt_does_not_wait_for_processes_of_the_earlier_one(program: Program, world: World) -> None:
    path = "/streams/nightly@a"
    for reporter in ("killed", "other"):
        await program.put(path, program=reporter, reporter=reporter)
    await program.post(f"{path}/finish", reporter="other")
    await program.put(path, attempt=2, program="second", reporter="second")
    await program.post(f"{path}/finish", reporter="second")
    assert await runs(world, program, "nightly", "attempt, goal_status, is_finished") == [(2, "completed", True)]


@pytest.mark.parametrize("kind", ["scans", "agents"])
async def test_scans_and_agents_have_attempts_too(program: Program, world: World, kind: str) -> None:
    path = f"/{kind}/x@a"
    await program.put(path)
    await program.post(f"{path}/finish", status="failed", error="no answer")
    refused(await program.put(path), 409, "finished")
    assert (await program.put(path, attempt=2)).status_code == 200
    await program.post(f"{path}/finish")
    assert await runs(world, program, "x", "attempt, status, error, attempts -> 0 ->> 'status'", kind) == [
        (2, "completed", None, "failed")
    ]


async def test_the_next_run_of_a_program_that_fell_silent_is_one_of_its_own(program: Program, world: World) -> None:
    await program.put("/streams/nightly", program="p1", reporter="p1", total=10, completed=4)
    await program.post("/heartbeats", runs=["streams/nightly"], interval=15, reporter="p1")
    # Another process of the same run, while the first is alive.
    await program.put("/streams/nightly", program="p2", reporter="p2")
    assert await runs(world, program, "nightly") == [(1, "nightly")]
    await world.sql("update streams set heartbeat_at = now() - interval '10 minutes' where org_id = %s", program.org)
    assert (await program.put("/streams/nightly", program="p3", reporter="p3")).status_code == 201
    assert await runs(world, program, "nightly", "number, run.slug, goal_status, is_finished") == [
        (1, "nightly@1", "blocked", True),
        (2, "nightly", "in_progress", False),
    ]


async def test_runs_that_begin_at_once_have_numbers_of_their_own(program: Program, world: World) -> None:
    await asyncio.gather(*(program.put(f"/streams/nightly@{n}x") for n in range(20)))
    assert [number for (number,) in await runs(world, program, "nightly", "number")] == list(range(1, 21))
    await program.put("/streams/plain")
    await program.post("/streams/plain/finish")
    answers = await asyncio.gather(*(program.put("/streams/plain", advance=1) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [201]
    assert await runs(world, program, "plain", "run.slug, completed") == [("plain@1", 0), ("plain", 10)]


async def test_jobs_are_their_organisations_own(program: Program, world: World) -> None:
    other = await world.organization()
    stranger, member = await world.person(other), await world.person(program.org)
    await program.put("/streams/nightly")
    await world.sql("insert into streams (org_id, slug, name) values (%s, 'nightly', 'Theirs')", other)
    for person, expected in ((member, [("nightly", program.org)]), (stranger, [("nightly", other)])):
        async with world.database.as_user(person.identity) as session:
            seen = (await (await session.connection()).execute(text("select slug, org_id from jobs"))).all()
        assert [tuple(row) for row in seen] == expected
    assert await world.sql("select number from streams where org_id = %s", other) == [(1,)]


@pytest.mark.parametrize("slug", ["@a", "a@", "a@b@c", "a@" + "b" * 65, "a" * 121, "a" * 121 + "@b", "...@a"])
async def test_addresses_that_name_nothing_are_rejected(program: Program, slug: str) -> None:
    refused(await program.put(f"/streams/{slug}"), 422, "invalid", "slug")


async def test_runs_of_earlier_versions_of_the_package_belong_to_their_job(program: Program, world: World) -> None:
    for digits in ("3f2a9c01d4e5", "3f2a9c01d4e6"):
        await program.put(f"/streams/nightly-{digits}")
        await program.post(f"/streams/nightly-{digits}/finish")
        refused(await program.put(f"/streams/nightly-{digits}", advance=1), 409, "finished")
    assert (await program.put("/streams/-3f2a9c01d4e5")).status_code == 201
    assert await runs(world, program, "nightly") == [(1, "nightly-3f2a9c01d4e5"), (2, "nightly-3f2a9c01d4e6")]
    assert await runs(world, program, "-3f2a9c01d4e5") == [(1, "-3f2a9c01d4e5")]
