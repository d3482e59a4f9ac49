"""Closing, archiving and deleting runs by a key: within its organisation and scope, and again without harm."""

from typing import Any

import httpx
import pytest
from sqlalchemy import text

from services.ingest import IngestKey, KeyScope
from tests.pages.program import Program, a_program, refused
from tests.world import World

pytestmark = pytest.mark.integration
TABLES = {"streams": "streams", "scans": "acquisition_scans", "agents": "agent_executions"}
STATUS = {"streams": "goal_status", "scans": "status", "agents": "status"}
KINDS = pytest.mark.parametrize("kind", list(TABLES))


async def run(world: World, program: Program, kind: str, columns: str = "id", slug: str = "x") -> list[tuple[Any, ...]]:
    """Read the run of a slug; no row if there is none."""
    query = f"select {columns} from {TABLES[kind]} where org_id = %s and slug = %s"
    return [tuple(row) for row in await world.sql(query, program.org, slug)]


async def batch(program: Program, *operations: dict[str, Any]) -> list[Any]:
    results = (await program.post("/batch", operations=list(operations))).json()["results"]
    return [(each["status"], each["body"]) for each in results]


@KINDS
async def test_a_closed_run_ends_as_cancelled_and_takes_no_more_reports(
    program: Program, world: World, kind: str
) -> None:
    id = (await program.put(f"/{kind}/x")).json()["id"]
    answer = await program.post(f"/{kind}/x/close", error="Its machine was switched off")
    assert (answer.status_code, answer.json()["id"], answer.json()["created"]) == (200, id, False)
    assert id in answer.json()["url"]
    columns = f"{STATUS[kind]}, is_finished, error"
    assert await run(world, program, kind, columns) == [("cancelled", True, "Its machine was switched off")]
    assert "cancelled" in refused(await program.put(f"/{kind}/x", begins=False), 409, "finished")


@KINDS
async def test_a_repeated_close_is_answered_alike_and_one_of_a_finished_run_is_refused(
    program: Program, world: World, kind: str
) -> None:
    await program.put(f"/{kind}/x")
    first = await program.post(f"/{kind}/x/close", error="why")
    versions = await run(world, program, kind, "version")
    for body in ({"error": "why"}, {}):
        again = await program.post(f"/{kind}/x/close", **body)
        assert (again.status_code, again.json()) == (200, first.json())
    refused(await program.post(f"/{kind}/x/close", error="another cause"), 409, "finished")
    assert await run(world, program, kind, "version") == versions
    await program.put(f"/{kind}/done")
    await program.post(f"/{kind}/done/finish")
    assert f"{kind}/done" in refused(await program.post(f"/{kind}/done/close"), 409, "finished")
    assert await run(world, program, kind, STATUS[kind], "done") == [("completed",)]


async def test_closing_without_a_cause_needs_no_body_and_keeps_the_reported_error(
    program: Program, world: World
) -> None:
    await program.put("/streams/x")
    await world.sql("update streams set error = 'row 37' where org_id = %s", program.org)
    assert (await program.send("POST", "/streams/x/close")).status_code == 200
    assert await run(world, program, "streams", "goal_status, error") == [("cancelled", "row 37")]


async def test_a_run_that_several_processes_share_is_closed_for_all(program: Program, world: World) -> None:
    for reporter in ("a", "b"):
        await program.put("/streams/x", reporter=reporter)
    assert (await program.post("/streams/x/close")).status_code == 200
    refused(await program.put("/streams/x", reporter="a"), 409, "finished")
    refused(await program.post("/streams/x/finish", reporter="b"), 409, "finished")
    assert await run(world, program, "streams", "goal_status") == [("cancelled",)]


@KINDS
async def test_an_archived_run_keeps_the_first_time_and_its_news_and_comes_back(
    program: Program, world: World, kind: str
) -> None:
    await program.put(f"/{kind}/x")
    ((before,),) = await run(world, program, kind, "updated_at")
    assert (await program.send("POST", f"/{kind}/x/archive")).status_code == 200
    ((archived_at, updated_at),) = await run(world, program, kind, "archived_at, updated_at")
    assert archived_at
    assert updated_at == before
    assert (await program.send("POST", f"/{kind}/x/archive", {})).status_code == 200
    assert await run(world, program, kind, "archived_at") == [(archived_at,)]
    for _ in range(2):
        assert (await program.send("POST", f"/{kind}/x/unarchive")).status_code == 200
    assert await run(world, program, kind, "archived_at") == [(None,)]


@KINDS
async def test_a_deleted_run_takes_its_log_along_and_frees_its_slug(program: Program, world: World, kind: str) -> None:
    id = (await program.put(f"/{kind}/x")).json()["id"]
    await program.put(f"/{kind}/y")
    await program.post("/logs", run=f"{kind}/x", lines=[{"message": "m"}])
    answer = await program.send("DELETE", f"/{kind}/x")
    assert (answer.status_code, answer.json()) == (200, {"id": id, "slug": "x"})
    assert await run(world, program, kind) == []
    assert len(await run(world, program, kind, slug="y")) == 1
    assert await world.sql("select count(*) from log_lines where run_id = %s", id) == [(0,)]
    assert f"{kind}/x" in refused(await program.send("DELETE", f"/{kind}/x"), 404, "not_found")
    assert (await program.put(f"/{kind}/x")).status_code == 201


async def test_a_deleted_stream_takes_its_agents_and_history_along_and_leaves_its_scans(
    program: Program, world: World
) -> None:
    stream = (await program.put("/streams/x", total=10, advance=3)).json()["id"]
    agent = (await program.put("/agents/a", stream="x")).json()["id"]
    await program.put("/agents/b", stream="other")
    await program.put("/scans/s", stream="x")
    await program.post("/logs", run="agents/a", lines=[{"message": "m"}])
    assert (await program.send("DELETE", "/streams/x")).status_code == 200
    assert await run(world, program, "agents", slug="a") == []
    assert len(await run(world, program, "agents", slug="b")) == 1
    assert await run(world, program, "scans", "stream_id", "s") == [(None,)]
    assert await world.sql("select count(*) from log_lines where run_id = %s", agent) == [(0,)]
    assert await world.sql("select count(*) from progress_points where subject_id = %s", stream) == [(0,)]
    assert await world.sql("select count(*) from activities where stream_id = %s", stream) == [(0,)]


@KINDS
async def test_what_does_not_exist_is_named(program: Program, kind: str) -> None:
    for method, path in (
        ("POST", f"/{kind}/none/close"),
        ("POST", f"/{kind}/none/archive"),
        ("POST", f"/{kind}/none/unarchive"),
        ("DELETE", f"/{kind}/none"),
    ):
        assert f"{kind}/none" in refused(await program.send(method, path), 404, "not_found")


@KINDS
async def test_a_key_tidies_up_neither_another_organisation_nor_runs_without_a_slug(
    program: Program, world: World, api: httpx.AsyncClient, kind: str
) -> None:
    stranger = await a_program(world, api)
    await program.put(f"/{kind}/x")
    before = await run(world, program, kind, "version")
    for method, path in (
        ("POST", f"/{kind}/x/close"),
        ("POST", f"/{kind}/x/archive"),
        ("POST", f"/{kind}/x/unarchive"),
        ("DELETE", f"/{kind}/x"),
    ):
        refused(await stranger.send(method, path), 404, "not_found")
    assert await run(world, program, kind, "version") == before
    await stranger.put(f"/{kind}/x")
    assert (await stranger.send("DELETE", f"/{kind}/x")).status_code == 200
    assert await run(world, program, kind, "version") == before
    # The policy, below the API: what a person made has no slug.
    await world.sql(f"update {TABLES[kind]} set slug = null where org_id = %s", program.org)
    await program.put(f"/{kind}/mine")
    assert await delete_all(world, program, kind) == 1


async def delete_all(world: World, program: Program, kind: str) -> int:
    """Delete, past the API, all rows that row-level security lets the program's key delete; returns how many."""
    key = IngestKey(id=program.key, org_id=program.org, org_name="", label="", scopes=frozenset())
    async with world.database.as_user(key) as session:
        deleted = await (await session.connection()).execute(text(f"delete from {TABLES[kind]}"))
        return deleted.rowcount


async def test_a_batch_deletes_once_for_an_idempotency_key(program: Program, world: World) -> None:
    await program.put("/streams/x")
    delete = {"method": "DELETE", "path": "/streams/x", "body": {}, "idempotency_key": "d"}
    ((status, first),) = await batch(program, delete)
    assert (status, first["slug"]) == (200, "x")
    await program.put("/streams/x")
    assert await batch(program, delete) == [(200, first)]
    assert len(await run(world, program, "streams")) == 1
    outcomes = await batch(
        program,
        {"method": "POST", "path": "/streams/x/close", "body": {"error": "e"}},
        {"method": "POST", "path": "/streams/x/archive"},
        {"method": "DELETE", "path": "/streams/x", "body": {"force": True}},
        {"method": "DELETE", "path": "/streams/none"},
        {"method": "DELETE", "path": "/streams/.."},
        {"method": "DELETE", "path": "/alerts"},
    )
    assert [status for status, _ in outcomes] == [200, 200, 422, 404, 422, 405]
    assert await run(world, program, "streams", "goal_status, archived_at is null") == [("cancelled", False)]


async def test_a_cause_that_does_not_fit_closes_nothing(program: Program, world: World) -> None:
    await program.put("/streams/x")
    refused(await program.post("/streams/x/close", error="e" * 8001), 422, "invalid", "error")
    refused(await program.post("/streams/x/close", status="completed"), 422, "invalid", "status")
    assert await run(world, program, "streams", "is_finished") == [(False,)]


async def test_a_key_without_the_scope_deletes_nothing(world: World, api: httpx.AsyncClient) -> None:
    alerts = await a_program(world, api, scopes=(KeyScope.ALERTS, KeyScope.NOTIFICATIONS))
    await world.sql("insert into streams (org_id, name, slug) values (%s, 's', 'x')", alerts.org)
    assert "runs" in refused(await alerts.send("DELETE", "/streams/x"), 403, "scope")
    assert await delete_all(world, alerts, "streams") == 0
