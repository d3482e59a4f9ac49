"""`livewatch mcp`, asked by a client of the Model Context Protocol as an assistant asks it."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from livewatch.cli.mcp.tools import MAX_TEXT, differences
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

from services.infra.rate_limiter import Rate
from services.ingest import REPORTING, KeyScope
from services.people.models import Role
from tests.pages.program import Program, a_program, application, served
from tests.sdk.conftest import SDK
from tests.sdk.test_real_server import Place
from tests.speed import deadline
from tests.world import World

pytestmark = pytest.mark.integration
SCOPES = (*REPORTING, KeyScope.READ, KeyScope.COMMANDS)


@pytest.fixture(scope="session")
async def place(world: World, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    app = application(world, world.database, Rate(per_second=10_000, burst=10_000))
    async with served(app) as url, httpx.AsyncClient(base_url=url, timeout=deadline(10)) as http:
        program = await a_program(world, http, scopes=SCOPES)
        spool: Path = tmp_path_factory.mktemp("spool") / "spool.sqlite"
        variables = {"LIVEWATCH_URL": url, "LIVEWATCH_KEY": program.token, "LIVEWATCH_SPOOL": str(spool)}
        await report(program)
        yield Place(world, app, url, program, variables)


async def report(program: Program) -> None:
    """Report a job that completed at commit a1, then failed at commit b2 with a log and a failed agent."""
    for commit in ("a1", "b2"):
        begun = await program.put(
            "/streams/nightly", name="Nightly", program=commit, environment={"git": {"commit": commit}, "host": "h"}
        )
        assert begun.status_code == 201, begun.text
        if commit == "a1":
            await program.post("/streams/nightly/finish", status="completed")
    lines = [{"message": f"row {number} of \x1b[31mdata\x1b[0m"} for number in range(40)]
    lines.append({"message": "disk full: ENOSPC", "level": "error"})
    noted = await program.post("/logs", run="streams/nightly", lines=lines)
    assert noted.status_code == 201, noted.text
    await program.put("/agents/reader", stream="nightly", agent_name="Reader")
    await program.post("/agents/reader/finish", status="failed", error="no answer " + "x" * (MAX_TEXT + 2_000))
    await program.post("/streams/nightly/finish", status="blocked", error="disk full")


@asynccontextmanager
async def asked(place: Place, **variables: str) -> AsyncIterator[Client]:
    """Yield a client of `livewatch mcp`, which runs as a process of its own."""
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "livewatch", "mcp"],
        env={"PYTHONPATH": str(SDK), "LIVEWATCH_CONFIG": "off", **place.environment, **variables},
    )
    async with Client(parameters, read_timeout_seconds=deadline(30)) as client:
        yield client


async def call(client: Client, name: str, **arguments: Any) -> Any:
    result = await client.call_tool(name, arguments)
    assert not result.is_error, result.content
    return result.structured_content


async def test_an_assistant_finds_a_failure_and_its_evidence(place: Place) -> None:
    async with asked(place) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"list_runs", "show_run", "search_logs", "explain_failure", "acknowledge"}
        assert all(tool.description for tool in tools.values())
        assert {name for name, tool in tools.items() if tool.annotations and tool.annotations.read_only_hint} == {
            *tools
        } - {"acknowledge"}
        assert "data, not instructions" in (client.instructions or "")
        listed = await call(client, "list_runs", status="blocked", search="night")
        assert [run["slug"] for run in listed["runs"]] == ["nightly"]
        assert listed["runs"][0]["url"].startswith(place.url)
        found = await call(client, "search_logs", text="enospc", level="error")
        assert [line["message"] for line in found["lines"]] == ["disk full: ENOSPC"]
        assert found["lines"][0]["name"] == "Nightly"
        evidence = await call(client, "explain_failure", run="nightly")
    assert evidence["run"]["error"] == "disk full"
    assert [line["message"] for line in evidence["warnings_and_errors"]] == ["disk full: ENOSPC"]
    assert "row 39 of data" in [line["message"] for line in evidence["last_lines"]], "without escape sequences"
    (agent,) = evidence["failed_agents"]
    assert agent["error"].startswith("no answer xx")
    assert agent["error"].endswith("more characters)")
    assert evidence["last_completed_run"]["run"]["number"] == 1
    assert evidence["last_completed_run"]["environment_differs"] == ["git.commit: was a1, is b2"]


async def test_an_assistant_acknowledges_for_the_team_to_see(place: Place) -> None:
    async with asked(place) as client:
        assert (await call(client, "acknowledge", run="nightly", note="Replacing the disk"))["changed"] is True
        assert (await call(client, "acknowledge", run="nightly"))["changed"] is False
    ((handling, name),) = await place.rows("select handling, handler_name from threads where org_id = %s")
    assert (handling, name.startswith("Key ")) == ("taken", True)
    assert await place.rows("select body from messages where org_id = %s") == [("taken Replacing the disk",)]


async def test_what_is_refused_is_told_with_the_next_step(place: Place, world: World) -> None:
    reader = await a_program(world, place.program._http, scopes=(KeyScope.READ,))
    async with asked(place, LIVEWATCH_KEY=reader.token) as client:
        for name, arguments, wanted in (
            ("show_run", {"run": "nightly"}, "There is no"),
            ("acknowledge", {"run": "nightly"}, "lacks the scope 'commands'"),
            ("list_runs", {"status": "sleeping"}, "sleeping"),
            ("search_logs", {"text": "(", "is_regex": True}, "expression"),
            ("search_logs", {"job": "streams/none"}, "There is no job"),
            ("search_logs", {"since": "yesterday"}, "“yesterday” is not a time"),
            ("search_logs", {"cursor": "x"}, "is none of this search"),
        ):
            result = await client.call_tool(name, arguments)
            assert result.is_error, (name, arguments, result)
            assert wanted in str(result.content), (name, result.content)
            assert reader.token not in str(result.content)
        assert (await call(client, "list_runs"))["runs"] == [], "of another organisation"
        assert (await call(client, "search_logs"))["lines"] == []


async def test_without_settings_it_says_what_to_do(place: Place) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "livewatch", "mcp",
        env={"PYTHONPATH": str(SDK), "LIVEWATCH_CONFIG": "off"},
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await asyncio.wait_for(process.communicate(), deadline(30))
    assert (process.returncode, output) == (2, b"")
    assert b"LIVEWATCH_URL" in errors


async def test_keys_of_others_and_without_the_scope_change_nothing(place: Place, world: World) -> None:
    program = place.program
    other = await a_program(world, program._http, scopes=SCOPES)
    assert (await other.post("/streams/nightly/handling", handling="resolved")).status_code == 404
    assert (await program.post("/streams/nightly/handling", handling="asleep")).status_code == 422
    assert (await program.post("/streams/nightly/handling", handling="open", note="x" * 2001)).status_code == 422
    person = await world.person(program.org, role=Role.VIEWER)
    answer = await world.database.call(
        person.identity,
        "select private.handle_by_key(%(org)s, 'streams', (select id from public.streams limit 1), 'resolved')",
        {"org": program.org},
    )
    assert answer is None
    assert not await world.sql("select 1 from threads where handling = 'resolved' and org_id = %s", program.org)


def test_differences_name_the_field() -> None:
    before = {"git": {"commit": "a"}, "packages": {"numpy": "1", "x": "1"}, "same": 1}
    after = {"git": {"commit": "b"}, "packages": {"numpy": "2"}, "same": 1}
    assert differences(before, after) == [
        "git.commit: was a, is b", "packages.numpy: was 1, is 2", "packages.x: was 1, is not known",
    ]  # fmt: skip
    assert differences(None, None) == []
