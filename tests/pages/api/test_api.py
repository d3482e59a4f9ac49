"""The ingest API over HTTP: each request is written once, completely and in order."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.people.models import Role
from tests.pages.program import Program, refused
from tests.world import World

pytestmark = pytest.mark.integration


async def test_one_request_makes_a_stream_and_the_next_moves_it(program: Program, world: World) -> None:
    answer = await program.put("/streams/nightly", name="Nightly", total=10, advance=3)
    assert answer.status_code == 201
    told = answer.json()
    assert told == {"id": told["id"], "slug": "nightly", "created": True, "url": f"/streams/{told['id']}"}
    again = await program.put("/streams/nightly", advance=4, metadata={"host": "w3"}, target_metrics={"quality": 1})
    assert (again.status_code, again.json()) == (200, {**told, "created": False})
    rows = await world.sql(
        "select org_id, name, total, completed, goal_status, metadata, target_metrics, ingest_key, created_by "
        "from streams where id = %s",
        told["id"],
    )
    assert rows == [(program.org, "Nightly", 10, 7, "in_progress", {"host": "w3"}, {"quality": 1}, program.key, None)]


async def test_a_request_without_a_body_is_enough(program: Program, world: World) -> None:
    answer = await program.send("PUT", "/streams/bare")
    assert answer.status_code == 201
    assert await world.sql("select name from streams where id = %s", answer.json()["id"]) == [("bare",)]
    assert (await program.send("POST", "/streams/bare/finish")).status_code == 200


async def test_a_scan_walks_its_steps_and_makes_its_stream(program: Program, world: World) -> None:
    steps = ["find", "read"]
    answer = await program.put("/scans/s", stream="parent", steps=steps, step="find", progress=10)
    id = answer.json()["id"]
    assert (answer.status_code, answer.json()["url"]) == (201, f"/monitoring/scans?selected={id}")
    await program.put("/scans/s", step="read", progress=60.5, targets_identified=9, targets_analyzed=4)
    await program.post("/scans/s/finish")
    rows = await world.sql(
        "select scan.status, current_step, steps, progress_percentage, targets_identified, targets_analyzed, "
        "started_at <= completed_at, stream.slug "
        "from acquisition_scans as scan join streams as stream on stream.id = stream_id where scan.id = %s",
        id,
    )
    assert rows == [("completed", "read", steps, 100.0, 9, 4, True, "parent")]


async def test_an_agents_run_belongs_to_the_default_stream_and_has_a_duration(program: Program, world: World) -> None:
    answer = await program.put("/agents/reader-1", agent_name="Reader", input_summary="12 pages")
    id = answer.json()["id"]
    assert (answer.status_code, answer.json()["url"]) == (201, f"/monitoring/agents?selected={id}")
    await program.post("/agents/reader-1/finish", status="failed", error="no answer", output_summary="3 of 12")
    rows = await world.sql(
        "select agent.status, agent_id, agent_name, input_summary, output_summary, agent.error, duration_ms >= 0, "
        "stream.slug, stream.name "
        "from agent_executions as agent join streams as stream on stream.id = stream_id where agent.id = %s",
        id,
    )
    assert rows == [("failed", "Reader", "Reader", "12 pages", "3 of 12", "no answer", True, "default", "Default")]


async def test_a_status_that_ends_a_run_ends_it_like_a_finish(program: Program, world: World) -> None:
    await program.put("/agents/a@1a", status="completed")
    refused(await program.put("/agents/a@1a", status="running"), 409, "finished")
    await program.put("/streams/s", status="completed")
    refused(await program.put("/streams/s", advance=1, begins=False), 409, "finished")


@pytest.mark.parametrize(
    ("path", "end", "other"),
    [
        ("/streams/x@a", {"status": "blocked", "error": "disk full"}, {"status": "completed"}),
        ("/scans/x@a", {"status": "failed", "error": "no answer"}, {"status": "completed"}),
        (
            "/agents/x@a",
            {"status": "completed", "output_summary": "17"},
            {"status": "completed", "output_summary": "18"},
        ),
    ],
)
async def test_a_finished_run_is_never_rewritten(
    program: Program, world: World, path: str, end: dict[str, str], other: dict[str, str]
) -> None:
    first = await program.put(path)
    assert (await program.post(f"{path}/finish", **end)).status_code == 200
    tables = {"streams": "streams", "scans": "acquisition_scans", "agents": "agent_executions"}
    statement = f"select to_jsonb(run) from {tables[path.split('/')[1]]} as run where id = %s"
    before = await world.sql(statement, first.json()["id"])
    message = refused(await program.put(path), 409, "finished")
    assert "a new key" in message
    assert path[1:] in message
    refused(await program.post(f"{path}/finish", **other), 409, "finished")
    again = await program.post(f"{path}/finish", **end)
    assert (again.status_code, again.json()["created"]) == (200, False)
    beat = await program.post("/heartbeats", runs=[path[1:]])
    assert beat.json() == {"alive": [], "finished": [path[1:]], "unknown": []}
    assert (await program.post("/logs", run=path[1:], lines=[{"message": "late"}])).status_code == 201
    assert await world.sql(statement, first.json()["id"]) == before


async def test_a_member_who_reopens_a_stream_lets_programs_report_again(program: Program, world: World) -> None:
    id = (await program.put("/streams/x", total=3)).json()["id"]
    await program.post("/streams/x/finish", status="blocked", error="disk full")
    async with world.database.as_user(program.admin.identity) as session:
        connection = await session.connection()
        await connection.exec_driver_sql(f"update streams set goal_status = 'in_progress' where id = '{id}'")
    assert (await program.put("/streams/x", advance=1)).status_code == 200


async def test_an_alert_goes_to_all_members_or_to_those_named(program: Program, world: World) -> None:
    other = await world.person(program.org, role=Role.VIEWER)
    stream = (await program.put("/streams/s")).json()["id"]
    alert = {"target_name": "requests", "signal_type": "too_large", "signal_strength": 92, "metadata": {"mb": 3}}
    answer = await program.post("/alerts", **alert, stream="s", priority="urgent", company_name="PSF")
    assert (answer.status_code, answer.json()["url"], len(answer.json()["ids"])) == (201, "/alerts", 2)
    rows = await world.sql(
        "select user_id, priority, stream_id, company_name, metadata from signal_alerts where org_id = %s", program.org
    )
    assert {row[0] for row in rows} == {program.admin.id, other.id}
    assert {row[1:4] for row in rows} == {("urgent", UUID(stream), "PSF")}
    events = await world.sql("select distinct event_id from signal_alerts where org_id = %s", program.org)
    assert events == [(UUID(answer.json()["id"]),)]
    await program.post("/alerts", **alert, to=[other.email.upper()])
    rows = await world.sql(
        "select user_id, event_id from signal_alerts where org_id = %s and stream_id is null", program.org
    )
    assert rows == [(other.id, None)]


async def test_a_notification_reaches_members(program: Program, world: World) -> None:
    answer = await program.post(
        "/notifications",
        title="Done",
        message="17 files",
        type="success",
        action_url="/streams",
        to=[program.admin.email],
    )
    assert answer.status_code == 201
    rows = await world.sql(
        "select user_id, title, message, type, action_url from notifications where id = %s", answer.json()["id"]
    )
    assert rows == [(program.admin.id, "Done", "17 files", "success", "/streams")]


async def test_lines_of_a_log_keep_their_order_and_are_seen_by_members_only(program: Program, world: World) -> None:
    stream = (await program.put("/streams/s")).json()["id"]
    lines = [{"message": "one", "level": "error", "at": "2026-01-01T00:00:00+01:00"}, {"message": "two"}]
    answer = await program.post("/logs", run="streams/s", lines=lines)
    assert (answer.status_code, answer.json()["lines"], answer.json()["url"]) == (201, 2, f"/streams/{stream}")
    stranger = await world.person(await world.organization(), role=Role.ADMIN)
    for person, seen in ((program.admin, ["one", "two"]), (stranger, [])):
        async with world.database.as_user(person.identity) as session:
            found = await (await session.connection()).exec_driver_sql("select message from log_lines order by id")
            assert list(found.scalars()) == seen


async def test_a_log_keeps_its_latest_ten_thousand_lines(program: Program, world: World) -> None:
    stream = (await program.put("/streams/s")).json()["id"]
    await world.sql(
        "insert into log_lines (org_id, run_id, message) select %s, %s, n::text from generate_series(1, 10000) as n",
        program.org,
        stream,
    )
    added = await program.post("/logs", run="streams/s", lines=[{"message": "new"}] * 3)
    assert added.status_code == 201, added.text
    rows = await world.sql(
        "select min(message::int), count(*) + 3 from log_lines where run_id = %s and message <> 'new'", stream
    )
    assert rows == [(4, 10_000)]
    await world.sql("delete from streams where id = %s", stream)
    assert not await world.sql("select 1 from log_lines where run_id = %s", stream)


async def test_heartbeats_say_who_lives_and_every_write_is_one(program: Program, world: World) -> None:
    for path in ("/streams/a", "/scans/b", "/agents/c"):
        await program.put(path)
    await program.post("/scans/b/finish")
    answer = await program.post("/heartbeats", runs=["streams/a", "scans/b", "agents/c", "agents/none"], interval=5)
    assert answer.json() == {"alive": ["agents/c", "streams/a"], "finished": ["scans/b"], "unknown": ["agents/none"]}
    old = "update streams set heartbeat_at = now() - interval '1 hour' where org_id = %s and slug = 'a'"
    late = (
        "select now() - heartbeat_at > interval '1 minute', heartbeat_interval from streams "
        "where org_id = %s and slug = 'a'"
    )
    for write in (
        program.put("/streams/a", advance=1),
        program.post("/logs", run="streams/a", lines=[{"message": "m"}]),
        program.post("/heartbeats", runs=["streams/a"], interval=5),
    ):
        await world.sql(old, program.org)
        assert await world.sql(late, program.org) == [(True, 5.0)]
        assert (await write).is_success
        assert await world.sql(late, program.org) == [(False, 5.0)]
    refused(await program.post("/heartbeats", runs=["agents/none"]), 404, "not_found", "runs")


async def test_a_batch_does_each_in_order_and_one_that_fails_leaves_the_others_alone(
    program: Program, world: World
) -> None:
    operations = [
        {"method": "PUT", "path": "/streams/b", "body": {"total": 5}},
        {"method": "PUT", "path": "streams/b", "body": {"advance": 2}},
        {"method": "PUT", "path": "/streams/b", "body": {"advance": -2}},
        {"method": "POST", "path": "/agents/none/finish"},
        {"method": "GET", "path": "/streams/b"},
        {"method": "POST", "path": "/batch", "body": {"operations": []}},
        {"method": "POST", "path": "/nonsense"},
        "nonsense",
        {"method": "POST", "path": "/streams/b/finish", "body": {"status": "blocked"}},
        {"method": "PUT", "path": "/streams/b", "body": {"advance": 1, "begins": False}},
        {"method": "POST", "path": "/notifications", "body": {"title": "done"}},
    ]
    answer = await program.post("/batch", operations=operations)
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [each["status"] for each in results] == [201, 200, 422, 404, 422, 404, 404, 422, 200, 409, 201]
    assert results[2]["body"]["error"]["field"] == "advance"
    assert results[9]["body"]["error"]["code"] == "finished"
    rows = await world.sql("select completed, total, goal_status from streams where id = %s", results[0]["body"]["id"])
    assert rows == [(2, 5, "blocked")]


async def test_a_batch_takes_five_hundred_and_no_more(program: Program) -> None:
    operation = {"method": "PUT", "path": "/streams/x", "body": {"advance": 1}}
    answer = await program.post("/batch", operations=[operation] * 500)
    assert {each["status"] for each in answer.json()["results"]} == {200, 201}
    refused(await program.post("/batch", operations=[operation] * 501), 422, "invalid", "operations")
    refused(await program.post("/batch", operations=[]), 422, "invalid", "operations")


async def test_batches_that_touch_the_same_runs_in_opposite_orders_all_succeed(program: Program, world: World) -> None:
    there = [{"method": "PUT", "path": f"/streams/{n}", "body": {"advance": 1}} for n in range(20)]
    await program.post("/batch", operations=there)
    answers = await asyncio.gather(
        *(program.post("/batch", operations=there if n % 2 else there[::-1]) for n in range(8))
    )
    assert {each["status"] for answer in answers for each in answer.json()["results"]} == {200}
    rows = await world.sql("select distinct completed from streams where org_id = %s", program.org)
    assert rows == [(9,)]


async def test_the_same_idempotency_key_writes_once_also_at_the_same_time(program: Program, world: World) -> None:
    async def write(**body: Any) -> httpx.Response:
        return await program.send("PUT", "/streams/once", body, Idempotency_Key="run 7, step 1")

    answers = await asyncio.gather(*(write(advance=1) for _ in range(12)))
    assert {(answer.status_code, answer.text) for answer in answers} == {(201, answers[0].text)}
    assert await world.sql("select completed from streams where org_id = %s", program.org) == [(1,)]
    refused(await write(advance=2), 409, "idempotency_conflict")
    operation = {"method": "PUT", "path": "/streams/once", "body": {"advance": 1}, "idempotency_key": "run 7, step 1"}
    (result,) = (await program.post("/batch", operations=[operation])).json()["results"]
    assert result == {"status": 201, "body": answers[0].json()}
    assert await world.sql("select completed from streams where org_id = %s", program.org) == [(1,)]


async def test_an_idempotency_key_is_forgotten_after_a_day_and_not_kept_by_a_failure(
    program: Program, world: World
) -> None:
    async def write() -> httpx.Response:
        return await program.send("POST", "/streams/late/finish", {}, Idempotency_Key="k")

    refused(await write(), 404, "not_found")
    await program.put("/streams/late")
    assert (await write()).status_code == 200
    await world.sql(
        "update idempotency_keys set created_at = now() - interval '25 hours', request_hash = repeat('0', 64) "
        "where ingest_key = %s",
        program.key,
    )
    assert (await write()).status_code == 200


async def test_first_reports_of_a_slug_at_the_same_time_make_one_run(program: Program, world: World) -> None:
    for path, table in (
        ("/streams/x", "streams"),
        ("/scans/x", "acquisition_scans"),
        ("/agents/x", "agent_executions"),
    ):
        answers = await asyncio.gather(*(program.put(path) for _ in range(10)))
        assert sorted(answer.status_code for answer in answers) == [200] * 9 + [201]
        assert await world.sql(f"select count(*) from {table} where slug = 'x' and org_id = %s", program.org) == [(1,)]
