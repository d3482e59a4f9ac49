"""Refusals of the ingest API, their messages, and the isolation of organisations."""

import gzip
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from pages.api.errors import PREFIX
from pages.api.operations import OPERATIONS
from services.infra.database import Database
from services.infra.rate_limiter import Rate
from services.ingest import KeyScope
from services.ingest.administration import revoke_key
from tests.pages.program import Program, a_program, application, client, refused
from tests.world import World

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("asked", "body", "field", "says"),
    [
        ("PUT /streams/x", {"totl": 1}, "totl", "no such field"),
        ("PUT /streams/x", {"total": "12"}, "total", '"12"'),
        ("PUT /streams/x", {"total": -1}, "total", "-1"),
        ("PUT /streams/x", {"total": True}, "total", "true"),
        ("PUT /streams/x", {"total": 2**53 + 1}, "total", "9,007,199,254,740,992"),
        ("PUT /streams/x", {"unit": " "}, "unit", "blank"),
        ("PUT /streams/x", {"bars": [{"id": "1"}]}, "bars.0.name", "missing"),
        ("PUT /streams/x", {"bars": [{"id": "1", "name": "a"}] * 2}, "bars", "own"),
        ("PUT /streams/...", {}, "slug", "dots"),
        ("PUT /streams/x", {"status": "busy"}, "status", '"busy"'),
        ("PUT /streams/x", {"name": "  "}, "name", "blank"),
        ("PUT /streams/x", {"name": "\u2800\u2800"}, "name", "blank"),
        ("PUT /streams/x", {"unit": "\u200b"}, "unit", "blank"),
        ("PUT /scans/x", {"name": "\u202e\u2066"}, "name", "blank"),
        ("POST /notifications", {"title": "\u200b\ufeff"}, "title", "blank"),
        ("PUT /streams/x", {"metadata": {"x": "y" * 17_000}}, "metadata", "16,000"),
        ("PUT /streams/x", {"metadata": {"x": [1] * 4_000}}, "metadata", "too large"),
        ("PUT /streams/x", {"name": "a\x00b"}, None, "NUL"),
        ("PUT /streams/x", [1], None, "object"),
        ("PUT /streams/%20", {}, "slug", '" "'),
        (f"PUT /streams/{'x' * 121}", {}, "slug", "120"),
        ("PUT /scans/x", {"progress": 101}, "progress", "101"),
        ("PUT /scans/x", {"steps": [1]}, "steps.0", "1"),
        ("PUT /scans/x", {"stream": "a b"}, "stream", '"a b"'),
        ("PUT /agents/x", {"status": "sleeping"}, "status", "sleeping"),
        ("POST /agents/x/finish", {"status": "running"}, "status", "running"),
        ("POST /streams/x/finish", {"status": "exploded", "error": "e"}, "status", "exploded"),
        ("POST /alerts", {"signal_type": "x", "signal_strength": 1}, "target_name", "missing"),
        (
            "POST /alerts",
            {"target_name": "t", "signal_type": "x", "signal_strength": 95, "priority": "low"},
            "priority",
            "'urgent'",
        ),
        (
            "POST /alerts",
            {"target_name": "t", "signal_type": "x", "signal_strength": 95, "to": ["who@nowhere.org"]},
            "to",
            "who@nowhere.org",
        ),
        ("POST /notifications", {"title": "t", "action_url": "javascript:alert(1)"}, "action_url", "javascript"),
        ("POST /notifications", {"title": "t", "type": "loud"}, "type", "loud"),
        ("POST /logs", {"run": "x", "lines": [{"message": "m"}]}, "run", '"x"'),
        ("POST /logs", {"run": "streams/x", "lines": [{"message": "m" * 2001}]}, "lines.0.message", "2000"),
        ("POST /logs", {"run": "streams/x", "lines": [{"message": "m" * 65_536}]}, "lines.0.message", "2000"),
        ("POST /logs", {"run": "streams/x", "lines": [{"message": "a\x00b"}]}, None, "NUL"),
        ("POST /logs", {"run": "streams/x", "lines": [{"message": "m"}] * 501}, "lines", "500"),
        (
            "POST /logs",
            {"run": "streams/x", "lines": [{"message": "m", "at": "9999-12-31T00:00:00Z"}]},
            "lines.0.at",
            "366",
        ),
        (
            "POST /logs",
            {"run": "streams/x", "lines": [{"message": "m", "at": "0001-01-01T00:00:00Z"}]},
            "lines.0.at",
            "366",
        ),
        ("POST /heartbeats", {"runs": ["streams/x"], "interval": 0}, "interval", "0"),
    ],
)
async def test_what_does_not_fit_is_refused_by_field_and_value(
    refused_program: Program, asked: str, body: Any, field: str | None, says: str
) -> None:
    method, path = asked.split()
    assert says in refused(await refused_program.send(method, path, body), 422, "invalid", field)


async def test_a_name_that_a_path_resolves_is_no_slug(program: Program) -> None:
    operations: list[dict[str, Any]] = [{"method": "PUT", "path": path} for path in ("/streams/.", "/streams/..")]
    operations += [{"method": "POST", "path": "/heartbeats", "body": {"runs": ["streams/.."]}}]
    results = (await program.post("/batch", operations=operations)).json()["results"]
    assert [(each["status"], each["body"]["error"]["field"]) for each in results] == [
        (422, "slug"),
        (422, "slug"),
        (422, "runs.0"),
    ]


async def test_counts_beyond_what_a_database_holds_are_refused(program: Program) -> None:
    await program.put("/streams/x", completed=2**53)
    refused(await program.put("/streams/x", completed=2**53 + 1), 422, "invalid", "completed")


async def test_the_length_of_an_idempotency_key_is_checked(program: Program) -> None:
    answer = await program.send("PUT", "/streams/x", {}, Idempotency_Key="k" * 201)
    refused(answer, 422, "invalid", "Idempotency-Key")


async def test_what_is_no_json_is_malformed(program: Program, api: httpx.AsyncClient) -> None:
    for raw in ("{", "{'a': 1}", '{"total": NaN}', '"\\ud800"', "[" * 100_000):
        answer = await api.put(f"{PREFIX}/streams/x", content=raw, headers={"Authorization": f"Bearer {program.token}"})
        refused(answer, 400, "malformed")


async def test_a_body_above_a_mebibyte_is_refused_announced_or_not(program: Program, api: httpx.AsyncClient) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield b" " * 2**16

    for content in (b" " * (2**20 + 1), parts()):
        answer = await api.put(
            f"{PREFIX}/streams/x", content=content, headers={"Authorization": f"Bearer {program.token}"}
        )
        refused(answer, 413, "too_large")


async def test_what_was_never_reported_is_not_found(program: Program) -> None:
    for path in ("/streams/none/finish", "/scans/none/finish", "/agents/none/finish"):
        assert "PUT" in refused(await program.post(path), 404, "not_found")
    refused(await program.post("/logs", run="scans/none", lines=[{"message": "m"}]), 404, "not_found", "run")
    alert = {"target_name": "t", "signal_type": "x", "signal_strength": 1, "stream": "none"}
    refused(await program.post("/alerts", **alert), 404, "not_found", "stream")
    for method, path in (("GET", "/nonsense"), ("POST", "/")):
        assert f"{method} {path}" in refused(await program.send(method, path), 404, "not_found")


async def test_the_wrong_method_is_told_the_right_one(program: Program) -> None:
    for method, path, allowed in (
        ("POST", "/streams/x", "DELETE, GET, HEAD, PUT"),
        ("PUT", "/alerts", "GET, HEAD, POST"),
        ("POST", "/me", "GET"),
    ):
        answer = await program.send(method, path)
        assert f"use {allowed}" in refused(answer, 405, "wrong_method")
        assert answer.headers["allow"] == allowed
    (result,) = (await program.post("/batch", operations=[{"method": "POST", "path": "/streams/x"}])).json()["results"]
    assert (result["status"], result["body"]["error"]["code"]) == (405, "wrong_method")
    assert "use DELETE, PUT" in result["body"]["error"]["message"]


async def test_a_compressed_body_is_read_within_the_limit(program: Program, api: httpx.AsyncClient) -> None:
    async def put(content: bytes, encoding: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {program.token}", "Content-Encoding": encoding}
        return await api.put(f"{PREFIX}/streams/x", content=content, headers=headers)

    body = b'{"completed": 3}'
    for encoding, compressed in (("gzip", gzip.compress(body)), ("deflate", zlib.compress(body)), ("identity", body)):
        assert (await put(compressed, encoding)).status_code < 300
    assert "supported" in refused(await put(body, "br"), 400, "malformed")
    assert "not gzip" in refused(await put(body, "gzip"), 400, "malformed")
    assert "end is missing" in refused(await put(gzip.compress(body)[:-9], "gzip"), 400, "malformed")
    refused(await put(gzip.compress(b" " * 2**24), "gzip"), 413, "too_large")


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer nonsense", "Basic bHc6", "Bearer lw_aaaaaaaaaaaa_" + "x" * 43]
)
async def test_without_a_good_key_nothing_is_done(api: httpx.AsyncClient, header: str) -> None:
    for method, path in [
        *((each.method, each.path.format(slug="x")) for each in OPERATIONS),
        ("POST", "/batch"),
        ("GET", "/me"),
    ]:
        answer = await api.request(method, PREFIX + path, headers={"Authorization": header} if header else {})
        refused(answer, 401, "bad_key")
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_wrong_secret_is_refused_also_while_the_right_one_is_remembered(
    program: Program, api: httpx.AsyncClient
) -> None:
    for _ in range(2):
        assert (await program.send("GET", "/me")).status_code == 200
        wrong = program.token[:-4] + ("AAAA" if not program.token.endswith("AAAA") else "BBBB")
        refused(await api.get(f"{PREFIX}/me", headers={"Authorization": f"Bearer {wrong}"}), 401, "bad_key")


async def test_a_cookie_never_authorises(program: Program, api: httpx.AsyncClient) -> None:
    person = program.admin
    await api.post("/session", data={"email": person.email, "password": person.password})
    assert api.cookies
    refused(await api.put(f"{PREFIX}/streams/x", json={}), 401, "bad_key")
    token = person.identity.access_token.get_secret_value()
    refused(await api.get(f"{PREFIX}/me", headers={"Authorization": f"Bearer {token}"}), 401, "bad_key")


async def test_me_tells_what_the_key_is_good_for_and_notes_its_use(program: Program, world: World) -> None:
    answer = await program.send("GET", "/me")
    assert answer.json() == {
        "organization": {"id": str(program.org), "name": "Ours"},
        "key": {"id": str(program.key), "name": "nightly jobs"},
        "scopes": ["alerts", "notifications", "runs"],
        "url": "http://app.test",
    }
    ((first,),) = await world.sql("select last_used_at from ingest_keys where id = %s", program.key)
    assert first
    await program.put("/streams/x")
    assert await world.sql("select last_used_at from ingest_keys where id = %s", program.key) == [(first,)]


async def test_a_key_reports_only_what_its_scopes_say(world: World, api: httpx.AsyncClient) -> None:
    alerts = await a_program(world, api, scopes=(KeyScope.ALERTS,))
    alert = {"target_name": "t", "signal_type": "x", "signal_strength": 1}
    assert (await alerts.post("/alerts", **alert)).status_code == 201
    for method, path, body in (
        ("PUT", "/streams/x", {}),
        ("POST", "/logs", {"run": "streams/x", "lines": [{"message": "m"}]}),
        ("POST", "/heartbeats", {"runs": ["streams/x"]}),
        ("POST", "/notifications", {"title": "t"}),
        ("POST", "/streams/x/close", {}),
        ("POST", "/scans/x/archive", None),
        ("POST", "/agents/x/unarchive", None),
        ("DELETE", "/streams/x", None),
    ):
        assert "scope" in refused(await alerts.send(method, path, body), 403, "scope")
    operations = [
        {"method": "PUT", "path": "/streams/x"},
        {"method": "POST", "path": "/alerts", "body": alert},
    ]
    results = (await alerts.post("/batch", operations=operations)).json()["results"]
    assert [each["status"] for each in results] == [403, 201]


async def test_a_key_that_may_alert_only_names_a_stream_by_its_slug(world: World, api: httpx.AsyncClient) -> None:
    program = await a_program(world, api, scopes=(KeyScope.ALERTS,))
    await world.sql("insert into streams (org_id, name, slug) values (%s, 's', 's')", program.org)
    answer = await program.post("/alerts", target_name="t", signal_type="x", signal_strength=1, stream="s")
    assert answer.status_code == 201


async def test_a_revoked_key_writes_nothing_from_the_moment_on_and_is_refused(world: World) -> None:
    now = 1000.0
    app = application(world, world.database, Rate(per_second=100, burst=200), clock=lambda: now)
    async with client(app) as http:
        program = await a_program(world, http)
        assert (await program.put("/streams/x")).status_code == 201
        await revoke_key(world.database, program.admin.identity, program.key)
        for write in (
            program.put("/streams/x", advance=1),
            program.post("/streams/x/finish"),
            program.post("/notifications", title="t"),
            program.post("/heartbeats", runs=["streams/x"]),
        ):
            refused(await write, 401, "bad_key")
        now += 5
        refused(await program.send("GET", "/me"), 401, "bad_key")
        assert await world.sql("select completed, goal_status from streams where org_id = %s", program.org) == [
            (0, "in_progress")
        ]


async def test_too_many_requests_are_told_when_to_come_again(world: World) -> None:
    async with client(application(world, world.database, Rate(per_second=0.5, burst=3))) as http:
        first, second = await a_program(world, http), await a_program(world, http)
        answers = [await first.send("GET", "/me") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        refused(answers[3], 429, "rate")
        assert answers[3].headers["retry-after"] == "2"
        assert (await second.send("GET", "/me")).status_code == 200, "each key has its own"


async def test_a_database_that_is_away_is_told_as_unavailable(world: World, program: Program) -> None:
    url = SecretStr("postgresql://livewatch_app:x@127.0.0.1:9/postgres")
    async with Database(url) as away, client(application(world, away, Rate(per_second=100, burst=200))) as http:
        answer = await http.put(f"{PREFIX}/streams/x", json={}, headers={"Authorization": f"Bearer {program.token}"})
        refused(answer, 503, "unavailable")
        assert int(answer.headers["retry-after"]) >= 1


async def test_two_organisations_never_meet(world: World, api: httpx.AsyncClient) -> None:
    ours, theirs = await a_program(world, api), await a_program(world, api)
    mine = {path: (await ours.put(path, **body)).json()["id"] for path, body in RUNS.items()}
    await ours.post("/logs", run="streams/same", lines=[{"message": "ours"}])
    statement = (
        "select (select jsonb_agg(to_jsonb(r) order by id) from streams as r where org_id = %s), "
        "(select jsonb_agg(to_jsonb(r) order by id) from acquisition_scans as r where org_id = %s), "
        "(select jsonb_agg(to_jsonb(r) order by id) from agent_executions as r where org_id = %s), "
        "(select jsonb_agg(to_jsonb(r) order by id) from log_lines as r where org_id = %s)"
    )
    before = await world.sql(statement, *[ours.org] * 4)

    for path in RUNS:
        refused(await theirs.post(f"{path}/finish"), 404, "not_found")
        refused(await theirs.post("/heartbeats", runs=[path[1:]]), 404, "not_found", "runs")
        refused(await theirs.post("/logs", run=path[1:], lines=[{"message": "m"}]), 404, "not_found", "run")
    alert = {"target_name": "t", "signal_type": "x", "signal_strength": 1}
    refused(await theirs.post("/alerts", **alert, stream="same"), 404, "not_found", "stream")
    for path, body in (("/alerts", alert), ("/notifications", {"title": "t"})):
        message = refused(await theirs.post(path, **body, to=[ours.admin.email]), 422, "invalid", "to")
        assert "not the address of a member" in message
        await theirs.post(path, **body)
    for path, body in RUNS.items():
        answer = await theirs.put(path, **body)
        assert answer.status_code == 201
        assert answer.json()["id"] != mine[path]
    both = (
        await ours.send("PUT", "/streams/i", {}, Idempotency_Key="k"),
        await theirs.send("PUT", "/streams/i", {}, Idempotency_Key="k"),
    )
    assert both[0].json()["id"] != both[1].json()["id"]

    await world.sql("delete from streams where org_id = %s and slug = 'i'", ours.org)
    assert await world.sql(statement, *[ours.org] * 4) == before
    for table in ("signal_alerts", "notifications"):
        assert not await world.sql(f"select 1 from {table} where user_id = %s", ours.admin.id)


RUNS: dict[str, dict[str, Any]] = {
    "/streams/same": {"total": 3},
    "/scans/same": {"stream": "same"},
    "/agents/same": {"stream": "same"},
}
