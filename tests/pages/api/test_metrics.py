"""Metrics through the API: what is stored, who sees it, and what is refused."""

import json
import math
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.ingest import REPORTING, KeyScope
from services.results.metrics import export_points, metrics_of, read_series
from tests.pages.program import Program, a_program, refused
from tests.world import World

pytestmark = pytest.mark.integration


async def a_run(program: Program, kind: str = "streams") -> str:
    answer = await program.put(f"/{kind}/x")
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def values(world: World, program: Program) -> list[tuple[str, int, float]]:
    return [
        (name, step, value)
        for name, step, value in await world.sql(
            "select name, step, value from metric_points where org_id = %s order by name, step", program.org
        )
    ]


async def log(program: Program, *points: dict[str, Any], run: str = "streams/x") -> httpx.Response:
    return await program.post("/metrics", run=run, points=list(points))


@pytest.mark.parametrize("kind", ["streams", "scans", "agents"])
async def test_points_are_stored_and_summed_up_by_metric(program: Program, world: World, kind: str) -> None:
    await a_run(program, kind)
    answer = await log(
        program, {"step": 3, "values": {"loss": 0.5, "دقة": 1}}, {"values": {"loss": 0.25}}, run=f"{kind}/x"
    )
    assert answer.status_code == 201, answer.text
    assert answer.json()["points"] == 3
    await log(program, {"step": 3, "values": {"loss": 9}}, run=f"{kind}/x")
    assert await values(world, program) == [("loss", 1, 0.25), ("loss", 3, 9.0), ("دقة", 3, 1.0)]
    ((points, replaced, first, last, latest, least, most),) = await world.sql(
        "select points, replaced, first_step, last_step, last_value, minimum, maximum from run_metrics "
        "where org_id = %s and name = 'loss'",
        program.org,
    )
    assert (points, replaced, first, last, latest, least, most) == (2, 1, 1, 3, 9.0, 0.25, 9.0)


async def test_what_is_not_finite_is_kept_as_it_is(program: Program, world: World) -> None:
    await a_run(program)
    given: list[Any] = ["NaN", "Infinity", "-Infinity", 1e-300, 12]
    await log(program, *({"step": n, "values": {"x": value}} for n, value in enumerate(given)))
    found = [value for _, _, value in await values(world, program)]
    assert math.isnan(found[0])
    assert found[1:] == [math.inf, -math.inf, 1e-300, 12.0]
    assert await world.sql("select minimum, maximum from run_metrics where org_id = %s", program.org) == [(1e-300, 12)]


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"values": {}}, "points.0.values", "at least 1"),
        ({"values": {"": 1}}, "points.0.values..[key]", "at least 1 character"),
        ({"values": {" ": 1}}, "points.0.values. .[key]", "blank"),
        ({"values": {"a\tb": 1}}, "points.0.values.a\tb.[key]", "control"),
        ({"values": {"x": "0.5"}}, "points.0.values.x", '"NaN"'),
        ({"values": {"x": None}}, "points.0.values.x", "number"),
        ({"values": {"x": True}}, "points.0.values.x", "number"),
        ({"values": {"x": 10**400}}, "points.0.values.x", "64-bit"),
        ({"step": -1, "values": {"x": 1}}, "points.0.step", "greater than or equal to 0"),
        ({"step": 1.5, "values": {"x": 1}}, "points.0.step", "integer"),
        ({"step": 2**53 + 1, "values": {"x": 1}}, "points.0.step", "less than or equal"),
        ({"at": "1970-01-01T00:00:00Z", "values": {"x": 1}}, "points.0.at", "366 days"),
    ],
)
async def test_bad_points_are_refused_with_what_is_wrong(
    refused_program: Program, given: dict[str, Any], field: str, said: str
) -> None:
    assert said in refused(await log(refused_program, given), 422, "invalid", field)


async def test_names_that_are_too_long_and_requests_that_are_too_large_are_refused(refused_program: Program) -> None:
    answer = await log(refused_program, {"values": {"x" * 201: 1}})
    assert answer.status_code == 422
    assert "at most 200 characters" in answer.json()["error"]["message"]
    many = {"values": {f"m{n}": 1 for n in range(1001)}}
    assert "at most 1000" in refused(await log(refused_program, many), 422, "invalid", "points.0.values")
    refused(await log(refused_program, *({"values": {"x": 1}} for _ in range(501))), 422, "invalid", "points")
    refused(await log(refused_program, {"values": {"x": 1}}, run="streams/none"), 404, "not_found", "run")


async def test_of_ten_thousand_names_a_run_keeps_a_thousand_and_says_so(program: Program, world: World) -> None:
    await a_run(program)
    for part in range(10):
        answer = await log(program, {"step": part, "values": {f"m{part}-{n}": n for n in range(1000)}})
        assert answer.status_code == (201 if part == 0 else 422), answer.text
    message = refused(answer, 422, "invalid", "points")
    assert "m9-" in message
    assert "at most 1,000 names" in message
    # Known names go on beside new ones.
    answer = await log(program, {"step": 10, "values": {"m0-0": 7, "new": 1}})
    assert answer.json()["points"] == 1
    assert '"new"' in answer.json()["ignored"][0]["message"]
    assert await world.sql("select count(*) from run_metrics where org_id = %s", program.org) == [(1000,)]


async def test_a_run_has_at_most_about_a_million_points(program: Program, world: World) -> None:
    await a_run(program)
    await log(program, {"values": {"x": 1}})
    await world.sql("update run_metrics set points = 1000000 where org_id = %s", program.org)
    assert "1000000" in refused(await log(program, {"values": {"x": 1}}), 422, "invalid", "points")


async def test_metrics_in_a_batch_come_after_the_finish_too_and_once_for_a_key(program: Program, world: World) -> None:
    body = {"run": "streams/x", "points": [{"values": {"x": 1}}]}
    operations: list[dict[str, Any]] = [
        {"method": "PUT", "path": "/streams/x", "body": {}},
        {"method": "POST", "path": "/streams/x/finish", "body": {}},
        {"method": "POST", "path": "/metrics", "body": body, "idempotency_key": "k"},
        {"method": "POST", "path": "/metrics", "body": body, "idempotency_key": "k"},
    ]
    answer = await program.post("/batch", operations=operations)
    assert [each["status"] for each in answer.json()["results"]] == [201, 200, 201, 201]
    assert await values(world, program) == [("x", 0, 1.0)]


async def test_metrics_are_deleted_with_their_run(program: Program, world: World) -> None:
    await a_run(program)
    await log(program, {"values": {"x": 1}})
    assert (await program.send("DELETE", "/streams/x")).status_code == 200
    assert await values(world, program) == []
    assert await world.sql("select count(*) from run_metrics where org_id = %s", program.org) == [(0,)]


async def test_only_members_and_keys_that_read_see_metrics(
    program: Program, world: World, api: httpx.AsyncClient
) -> None:
    run = await a_run(program)
    await log(program, {"values": {"x": 1}})
    other = await a_program(world, api, scopes=(*REPORTING, KeyScope.READ))
    refused(await log(other, {"values": {"x": 5}}), 404, "not_found", "run")
    ours = await metrics_of(world.database, program.admin.identity, UUID(run))
    assert [(each.name, each.points) for each in ours] == [("x", 1)]
    assert await metrics_of(world.database, other.admin.identity, UUID(run)) == []
    assert (await read_series(world.database, other.admin.identity, UUID(run), "x")).points == []
    assert [part async for part in export_points(world.database, other.admin.identity, UUID(run))] == []
    for table in ("run_metrics", "metric_points"):
        seen = f"select count(*) from public.{table}"
        assert await world.database.call(program.admin.identity, seen, {}) == 1
        assert await world.database.call(other.admin.identity, seen, {}) == 0
        with pytest.raises(Exception, match="does not let"):
            await world.database.call(program.admin.identity, f"delete from public.{table} returning 1", {})
    mute = await a_program(world, api, scopes=(KeyScope.ALERTS, KeyScope.READ))
    refused(await log(mute, {"values": {"x": 1}}), 403, "scope")


async def test_a_hundred_thousand_points_keep_every_peak_and_are_exact_on_zoom(program: Program, world: World) -> None:
    run = UUID(await a_run(program))
    await log(program, {"values": {"x": 1}})
    await world.sql(
        "insert into metric_points (run_id, name, step, org_id, at, value) "
        "select %s, 'x', n, %s, now(), case n when 50500 then 77 when 50501 then -77 when 60000 then 'NaN' "
        "else sin(n / 5000.0) end from generate_series(1, 100000) as n",
        run,
        program.org,
    )
    identity = program.admin.identity
    whole = await read_series(world.database, identity, run, "x")
    assert not whole.is_exact
    assert len(whole.points) < 2000
    assert {(50500, 77.0), (50501, -77.0)} <= set(whole.points)
    assert [step for step, value in whole.points if math.isnan(value)] == [60000]
    assert [step for step, _ in whole.points] == sorted(step for step, _ in whole.points)
    part = await read_series(world.database, identity, run, "x", first=50_000, last=51_000)
    assert part.is_exact
    assert [step for step, _ in part.points] == list(range(50_000, 51_001))
    exported = [row async for rows in export_points(world.database, identity, run) for row in rows]
    assert len(exported) == 100_001
    assert json.dumps([row[1] for row in exported]) == json.dumps(list(range(100_001)))
