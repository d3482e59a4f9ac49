"""What a program says of a run: tags, which add up, and the environment, which is stored beside the run."""

import json
from typing import Any

import httpx
import pytest

from services.ingest import REPORTING, KeyScope
from tests.pages.program import Program, a_program, refused
from tests.world import World

pytestmark = pytest.mark.integration

TABLES = {"streams": "streams", "scans": "acquisition_scans", "agents": "agent_executions"}
ENVIRONMENT = {"host": "w3", "git": {"commit": "3f2a9c0", "is_dirty": True}, "packages": {"numpy": "2.1"}}
of_kinds = pytest.mark.parametrize("kind", TABLES)


@pytest.fixture
async def other(world: World, api: httpx.AsyncClient) -> Program:
    return await a_program(world, api, scopes=(*REPORTING, KeyScope.READ))


async def tags(world: World, program: Program, kind: str) -> list[str]:
    ((found,),) = await world.sql(f"select tags from {TABLES[kind]} where org_id = %s and slug = 'x'", program.org)
    return list(found)


async def environment_of(program: Program, path: str) -> Any:
    answer = await program.send("GET", path)
    assert answer.status_code == 200, answer.text
    return answer.json()["environment"]


@of_kinds
async def test_a_report_adds_tags_and_removes_none(program: Program, world: World, kind: str) -> None:
    await program.put(f"/{kind}/x", tags=["nightly", "eu west", "nightly"])
    assert await tags(world, program, kind) == ["nightly", "eu west"]
    await program.put(f"/{kind}/x", tags=["größe", "nightly"])
    await program.put(f"/{kind}/x", tags=[])
    assert await tags(world, program, kind) == ["nightly", "eu west", "größe"]


@of_kinds
async def test_what_is_no_tag_is_refused_with_its_value_and_the_limit(program: Program, kind: str) -> None:
    long = "x" * 41
    message = refused(await program.put(f"/{kind}/x", tags=[long]), 422, "invalid", "tags.0")
    assert long in message
    assert "at most 40 characters" in message
    assert "at most 20" in refused(await program.put(f"/{kind}/x", tags=["x"] * 21), 422, "invalid", "tags")
    assert '" "' in refused(await program.put(f"/{kind}/x", tags=[" "]), 422, "invalid", "tags.0")
    # Good fields beside a bad one are applied.
    field = {"streams": "name", "scans": "name", "agents": "agent_name"}[kind]
    answer = await program.put(f"/{kind}/x", **{field: "Good", "tags": [long]})
    assert [each["field"] for each in answer.json()["ignored"]] == ["tags.0"]


@of_kinds
async def test_a_run_has_room_for_twenty_tags(program: Program, world: World, kind: str) -> None:
    await program.put(f"/{kind}/x", tags=[f"tag {n}" for n in range(20)])
    message = refused(await program.put(f"/{kind}/x", tags=["one more"]), 422, "invalid", "tags")
    assert "one more" in message
    assert "at most 20" in message
    assert (await program.put(f"/{kind}/x", tags=["tag 7"])).status_code == 200
    assert len(await tags(world, program, kind)) == 20


async def test_tags_in_a_batch_leave_the_other_reports_alone(program: Program, world: World) -> None:
    await program.put("/streams/x", total=10, tags=[f"tag {n}" for n in range(20)])
    bodies: list[dict[str, Any]] = [{"advance": 1}, {"tags": ["one more"]}, {"advance": 1}, {"advance": 1}]
    answer = await program.post(
        "/batch", operations=[{"method": "PUT", "path": "/streams/x", "body": body} for body in bodies]
    )
    assert [each["status"] for each in answer.json()["results"]] == [200, 422, 200, 200]
    ((completed,),) = await world.sql("select completed from streams where org_id = %s", program.org)
    assert completed == 3


@of_kinds
async def test_an_environment_is_read_with_the_single_run_and_broadcast_never(
    other: Program, world: World, kind: str
) -> None:
    await other.put(f"/{kind}/x", environment=ENVIRONMENT)
    assert await environment_of(other, f"/{kind}/x") == ENVIRONMENT
    await other.put(f"/{kind}/x", environment={"host": "w4"})
    assert await environment_of(other, f"/{kind}/x") == {"host": "w4"}
    items = (await other.send("GET", f"/{kind}")).json()["items"]
    assert items[0]["environment"] is None
    ((row,),) = await world.sql(f"select to_jsonb(t) from {TABLES[kind]} as t where org_id = %s", other.org)
    assert "environment" not in row


async def test_an_environment_that_is_too_large_is_refused_with_the_limit(program: Program) -> None:
    large = {"packages": {f"package-{n}": "1.0" for n in range(1000)}}
    size = len(json.dumps(large, separators=(",", ":")))
    message = refused(await program.put("/streams/x", environment=large), 422, "invalid", "environment")
    assert f"{size:,}" in message
    assert "16,000" in message
    assert "environment" in refused(await program.put("/streams/x", environment="w3"), 422, "invalid", "environment")


async def test_an_environment_is_deleted_with_its_run(other: Program, world: World) -> None:
    for kind in TABLES:
        await other.put(f"/{kind}/x", environment=ENVIRONMENT)
    counted = "select count(*) from run_environments where org_id = %s"
    assert await world.sql(counted, other.org) == [(3,)]
    for table in ("agent_executions", "acquisition_scans", "streams"):
        await world.sql(f"delete from {table} where org_id = %s", other.org)
    assert await world.sql(counted, other.org) == [(0,)]


async def test_only_members_and_keys_of_an_organisation_that_may_read_see_its_environments(
    program: Program, other: Program, world: World, api: httpx.AsyncClient
) -> None:
    await program.put("/streams/x", environment=ENVIRONMENT)
    await other.put("/streams/x", environment={"host": "theirs"})
    assert await environment_of(other, "/streams/x") == {"host": "theirs"}
    refused(await program.send("GET", "/streams/x"), 403, "scope")
    counted = "select coalesce(jsonb_agg(content), '[]') from public.run_environments"
    assert await world.database.call(program.admin.identity, counted, {}) == [ENVIRONMENT]
    assert await world.database.call(other.admin.identity, counted, {}) == [{"host": "theirs"}]
    for key in (KeyScope.ALERTS, KeyScope.READ):
        mute = await a_program(world, api, scopes=(key,))
        refused(await mute.put("/streams/x", environment=ENVIRONMENT, tags=["x"]), 403, "scope")
