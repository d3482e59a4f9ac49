"""Grouped reports: a batch has the result of its operations one by one, and each run is broadcast once."""

import asyncio
import math
from random import Random
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from services.infra.claims import Claimant
from services.infra.database import Database
from services.infra.rate_limiter import Rate
from services.ingest import Operation, Target, Verb
from services.ingest.grouping import group
from tests.pages.program import Program, a_program, application, client
from tests.speed import deadline
from tests.world import World, until

pytestmark = pytest.mark.integration

TABLES = {"streams": "streams", "scans": "acquisition_scans", "agents": "agent_executions"}
# Ids, and what the database measures by its clock or the watcher of another test's app says of a run.
MEASURED = {
    *("id", "org_id", "stream_id", "version", "ingest_key", "created_at", "updated_at", "started_at", "completed_at"),
    *("finished_at", "heartbeat_at", "archived_at", "last_progress_at", "rate", "rate_window", "progress_interval"),
    *("duration_ms", "bars", "job_id", "attempt_started_at", "usual_seconds", "incidents"),
}
ENDS = ("archived_at", "finished_at", "completed_at")


def _stream_report(random: Random) -> dict[str, Any]:
    return random.choice(
        [
            {"advance": random.randint(0, 9)},
            {"advance": random.randint(1, 9)},
            {"advance": round(random.random(), 3)},
            {"completed": random.randint(0, 60)},
            {"completed": random.randint(60, 90), "unit": "rows"},
            {"percent": random.randint(0, 100)},
            {"total": random.choice([0, 50, 100])},
            {"default_total": random.choice([0, 20, 100]), "advance": 1},
            {"advance": 9_007_199_254_740_991},
            {"status": random.choice(["on_track", "at_risk", "blocked"]), "advance": 1},
            {"status": "at_risk", "error": "disk full"},
            {"error": random.choice(["a", "b"])},
            {"name": random.choice(["أداة", "n" * 200, "Nightly"]), "advance": 2},
            {"name": " ", "advance": 3},
            {"advance": math.nan},
            {"advance": -1},
            {"completed": "7"},
            {"metadata": {"n": random.randint(0, 9)}},
            {"metadata": {"large": "x" * 15_000}, "advance": 1},
            {"bars": [{"id": "1", "name": "Epoch", "completed": random.randint(0, 5)}]},
            {"unit": ""},
            {"program": random.choice(["p1", "p2"])},
            {"reporter": random.choice(["r1", "r2"]), "advance": 1},
            {"begins": False, "advance": 1},
            {"program": "p3", "reporter": "r3"},
            {"unknown": 1},
            {},
        ]
    )


def _scan_report(random: Random) -> dict[str, Any]:
    return random.choice(
        [
            {"advance": random.randint(0, 3)},
            {"advance": 1, "step": "read"},
            {"progress": random.randint(0, 100)},
            {"progress": 100.5},
            {"targets_identified": random.randint(0, 30)},
            {"targets_analyzed": random.randint(0, 30), "step": random.choice(["find", "read"])},
            {"status": random.choice(["scanning", "analyzing", "configuring"])},
            {"stream": "parent", "steps": ["find", "read"]},
            {"error": "no answer"},
        ]
    )


def _agent_report(random: Random) -> dict[str, Any]:
    return random.choice(
        [
            {"agent_name": random.choice(["Reader", "Writer"])},
            {"agent_id": random.choice(["a", "b"])},
            {"output_summary": str(random.randint(0, 9))},
            {"input_summary": "in", "error": "e"},
            {"status": random.choice(["running", "pending"])},
            {"stream": "parent"},
        ]
    )


REPORTS = {"streams": _stream_report, "scans": _scan_report, "agents": _agent_report}


def _operations(random: Random, count: int) -> list[dict[str, Any]]:
    """Return operations on a few runs, interleaved; some repeat an earlier one, some end or delete a run."""
    runs = ["streams/a", "streams/a@1", "streams/b", "streams/c@key", "scans/a", "agents/a"]
    favourite, operations = random.choice(runs), list[dict[str, Any]]()
    while len(operations) < count:
        run = favourite if random.random() < 0.5 else random.choice(runs)
        kind = run.partition("/")[0]
        chance = random.random()
        operation: dict[str, Any] = {"method": "PUT", "path": f"/{run}", "body": REPORTS[kind](random)}
        if chance < 0.02:
            operation = {"method": "POST", "path": f"/{run}/{random.choice(['finish', 'close', 'archive'])}"}
        elif chance < 0.03:
            operation = {"method": "DELETE", "path": f"/{run}"}
        elif chance < 0.06:
            operation = {"method": "POST", "path": "/heartbeats", "body": {"runs": [run, "streams/b"]}}
        elif chance < 0.09:
            operation = {"method": "POST", "path": "/logs", "body": {"run": run, "lines": [{"message": "line"}]}}
        elif chance < 0.12 and operations:
            operation = dict(random.choice(operations))
        if random.random() < 0.4:
            operation.setdefault("idempotency_key", f"{len(operations)}")
        elif random.random() < 0.1:
            operation["idempotency_key"] = "the same"
        if chance > 0.85:
            # Far apart: whether a report was made before or after the end of a run must not depend on the machine.
            operation["age"] = random.choice([30.0, 30.0, 60.0])
        operations.append(operation)
    return operations


async def _send(program: Program, operations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    # json.dumps of the standard library writes NaN, which the API refuses for the whole request: as text instead.
    given = [{**each, "body": _without_nan(each.get("body"))} for each in operations]
    answer = await program.post("/batch", operations=given)
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def _without_nan(body: Any) -> Any:
    if not isinstance(body, dict):
        return body
    return {name: "NaN" if isinstance(value, float) and math.isnan(value) else value for name, value in body.items()}


def _shown(results: list[dict[str, Any]]) -> list[Any]:
    """Return answers with a number in place of each id."""
    numbers: dict[str, int] = {}
    shown = []
    for result in results:
        body = dict(result["body"])
        if body.get("id"):
            number = numbers.setdefault(body["id"], len(numbers))
            body = {**body, "id": number, "url": str(body.get("url")).replace(body["id"], "<id>")}
        shown.append((result["status"], body))
    return shown


async def _state(world: World, program: Program) -> Any:
    """Return what the runs, their activities, logs and histories say, without ids and measured values."""
    state: dict[str, Any] = {}
    for table in TABLES.values():
        rows = await world.sql(f"select to_jsonb(each) from {table} as each where org_id = %s", program.org)
        for (row,) in rows:
            measured = {
                name: row[name] is None for name in ("archived_at", "finished_at", "completed_at") if name in row
            }
            bars = [{key: bar[key] for key in bar if not key.endswith("_at")} for bar in row.get("bars", ())]
            kept = {name: value for name, value in row.items() if name not in MEASURED}
            (activities,) = await world.sql(
                "select array_agg(coalesce(previous_status, '') || '>' || status order by version) from activities "
                # The watcher of another test's app looks at these runs, too.
                "where subject_id = %s and incident_id is null",
                row["id"],
            )
            (history,) = await world.sql(
                "select count(*) > 0, coalesce(bool_or(done >= whole and whole > 0), false) from progress_points "
                "where subject_id = %s",
                row["id"],
            )
            (lines,) = await world.sql("select count(*) from log_lines where run_id = %s", row["id"])
            state[f"{table}/{row['slug']}"] = (kept, measured, bars, activities, history, lines)
    return state


@pytest.mark.parametrize("seed", range(12))
async def test_a_batch_has_the_result_of_its_operations_one_by_one(
    seed: int, program: Program, api: httpx.AsyncClient, world: World
) -> None:
    other = await a_program(world, api)
    random = Random(seed)
    for _ in range(3):
        operations = _operations(random, 40)
        together = await _send(program, operations)
        alone = [result for each in operations for result in await _send(other, [each])]
        for position, (one, another) in enumerate(zip(_shown(together), _shown(alone), strict=True)):
            assert one == another, (position, operations[: position + 1])
        assert await _state(world, program) == await _state(world, other), operations


async def _broadcasts(world: World, program: Program) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = await world.sql(
        "select event, payload -> 'record' ->> 'completed' from realtime.messages "
        "where topic = %s and payload ->> 'table' = 'streams' order by inserted_at, id",
        f"org:{program.org}",
    )
    return rows


async def test_a_batch_broadcasts_each_run_once_with_its_last_state(program: Program, world: World) -> None:
    reports = [
        {"method": "PUT", "path": f"/streams/{'ab'[n % 2]}", "body": {"advance": 1, "status": status}}
        for status in ("on_track", "at_risk")
        for n in range(20)
    ]
    beat = {"method": "POST", "path": "/heartbeats", "body": {"runs": ["streams/a", "streams/b"]}}
    await _send(program, [*reports, beat])
    assert await _broadcasts(world, program) == [("INSERT", "20"), ("INSERT", "20")]
    await _send(program, [beat, *reports, beat])
    assert (await _broadcasts(world, program))[2:] == [("UPDATE", "40"), ("UPDATE", "40")]
    # Statuses keep their history.
    activities = await world.sql("select status from activities where org_id = %s order by version", program.org)
    assert [status for (status,) in activities] == ["on_track", "on_track", "at_risk", "at_risk"] * 2


async def test_a_run_that_a_batch_reports_and_deletes_is_told_as_deleted(program: Program, world: World) -> None:
    reports = [{"method": "PUT", "path": "/streams/a", "body": {"advance": 1}}] * 3
    await _send(program, reports)
    await _send(program, [*reports, {"method": "DELETE", "path": "/streams/a"}])
    assert [event for event, _ in await _broadcasts(world, program)] == ["INSERT", "DELETE"]


async def test_a_refused_report_within_a_group_leaves_the_others_alone(program: Program, world: World) -> None:
    reports = [
        {"method": "PUT", "path": "/streams/a", "body": {"advance": amount}}
        for amount in (1, 9_007_199_254_740_992, 2, 3)
    ]
    results = await _send(program, reports)
    assert [result["status"] for result in results] == [201, 422, 200, 200]
    assert await world.sql("select completed from streams where org_id = %s", program.org) == [(6,)]


async def test_an_amount_in_many_fractions_is_rounded_like_one_by_one(program: Program, world: World) -> None:
    await _send(program, [{"method": "PUT", "path": "/streams/a", "body": {"advance": 0.1}}] * 30)
    assert await world.sql("select completed from streams where org_id = %s", program.org) == [(3.0,)]


async def test_reports_made_at_different_times_keep_their_places_in_the_history(program: Program, world: World) -> None:
    reports = [
        {"method": "PUT", "path": "/streams/a", "body": {"completed": n}, "age": float(60 - n * 10)} for n in range(6)
    ]
    await _send(program, reports)
    points = await world.sql("select done from progress_points where org_id = %s order by at", program.org)
    assert [done for (done,) in points] == [0, 1, 2, 3, 4, 5]


async def test_a_run_of_unknown_total_has_a_point_a_second_not_one_a_report(program: Program, world: World) -> None:
    for _ in range(10):
        await program.put("/streams/a", advance=1)
    ((points, first, last),) = await world.sql(
        "select count(*), min(at), max(at) from progress_points where org_id = %s", program.org
    )
    assert points <= 1 + math.floor((last - first).total_seconds())


class _Counted(Database):
    """Database that counts the calls, and the claims under which they ran."""

    calls: list[tuple[Claimant, str]]

    async def call(self, identity: Claimant, statement: Any, values: Any) -> Any:
        self.calls.append((identity, values["operations"]))
        return await super().call(identity, statement, values)


async def test_requests_at_the_same_time_share_transactions_of_their_own_key(world: World) -> None:
    assert world.status.app_database_url
    async with _Counted(world.status.app_database_url) as database:
        database.calls = []
        app = application(world, database, Rate(per_second=10_000, burst=10_000))
        async with client(app) as http:
            ours, theirs = await a_program(world, http), await a_program(world, http)
            await asyncio.gather(*(each.put("/streams/s@1a", advance=1) for each in (ours, theirs)))
            database.calls.clear()
            # The same slugs in both organisations, and one that only one of them finished.
            await theirs.post("/streams/s@1a/finish")
            answers = await asyncio.gather(
                *(each.put("/streams/s@1a", advance=1) for _ in range(40) for each in (ours, theirs))
            )
            calls = database.calls
    assert [answer.status_code for answer in answers] == [200, 409] * 40
    assert len(calls) < 20
    for organisation, completed in ((ours.org, 41), (theirs.org, 1)):
        rows = await world.sql("select completed, ingest_key from streams where org_id = %s", organisation)
        assert rows == [(completed, ours.key if organisation == ours.org else theirs.key)]


async def test_a_report_that_waits_for_a_locked_run_does_not_hold_up_those_of_others(
    program: Program, world: World
) -> None:
    await program.put("/streams/locked")
    await program.put("/streams/free")
    async with await psycopg.AsyncConnection.connect(world.status.database_url.get_secret_value()) as holder:
        await holder.execute("select from streams where org_id = %s and slug = 'locked' for update", (program.org,))

        async def is_blocked() -> bool:
            ((count,),) = await world.sql(
                "select count(*) from pg_stat_activity where %s = any(pg_blocking_pids(pid))",
                holder.info.backend_pid,
            )
            return bool(count)

        blocked = asyncio.create_task(program.put("/streams/locked", advance=1))
        await until(is_blocked, what="the report waits for the lock")
        assert (await asyncio.wait_for(program.put("/streams/free", advance=1), deadline(3))).status_code == 200
        assert not blocked.done()
    assert (await blocked).status_code == 200


async def test_the_response_says_where_its_time_went(program: Program) -> None:
    answer = await program.put("/streams/s", advance=1)
    stages = dict(stage.split(";dur=") for stage in answer.headers["Server-Timing"].split(", "))
    assert list(stages) == ["auth", "queue", "db", "total"]
    assert 0 < float(stages["db"]) <= float(stages["total"])
    batch = await program.post("/batch", operations=[{"method": "PUT", "path": "/streams/s"}])
    assert "db;dur=" in batch.headers["Server-Timing"]
    refused = await program.post("/streams/none/finish")
    assert (refused.status_code, "db;dur=" in refused.headers["Server-Timing"]) == (404, True)
    invalid = await program.put("/streams/s", advance=-1)
    assert (invalid.status_code, "auth;dur=" in invalid.headers["Server-Timing"]) == (422, True)


async def test_a_stranger_learns_no_times(program: Program) -> None:
    program.token = "lw_aaaaaaaa_" + "a" * 43
    answer = await program.put("/streams/s", advance=1)
    assert (answer.status_code, "Server-Timing" in answer.headers) == (401, False)


def _report(slug: str, **body: Any) -> Operation:
    return Operation(target=Target.STREAMS, verb=Verb.REPORT, slug=slug, body=body, idempotency_key=uuid4().hex)


def test_a_hundred_reports_of_one_run_are_one_element() -> None:
    """The work of the database grows with the runs of a batch, not with its reports."""
    grouped = group([_report("ab"[n % 2], advance=1) for n in range(100)])
    (element,) = grouped.elements
    assert [(each["slug"], each["body"]["advance"], len(each["parts"])) for each in element["set"]] == [
        ("a", 50, 50),
        ("b", 50, 50),
    ]
    assert grouped.positions == [*range(0, 100, 2), *range(1, 100, 2)]
