"""The reading client and `livewatch ls`, `show`, `logs` and `open` against the real API."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from livewatch.api import Client, FeedChange, FeedDeletion, NotFoundError, RejectedError
from livewatch.settings import IngestKey, Settings

from services.infra.rate_limiter import Rate
from services.ingest import REPORTING, KeyScope
from tests.pages.api.reading.conftest import fill
from tests.pages.program import a_program, application, served
from tests.sdk.test_real_server import Place
from tests.speed import deadline
from tests.world import World

pytestmark = pytest.mark.integration


@pytest.fixture(scope="session")
async def place(world: World, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    """A program with rows of every kind, that may read."""
    app = application(world, world.database, Rate(per_second=10_000, burst=10_000))
    async with served(app) as url, httpx.AsyncClient(base_url=url, timeout=deadline(10)) as http:
        program = await a_program(world, http, scopes=(*REPORTING, KeyScope.READ))
        await fill(world, program)
        spool: Path = tmp_path_factory.mktemp("spool") / "spool.sqlite"
        variables = {"LIVEWATCH_URL": url, "LIVEWATCH_KEY": program.token, "LIVEWATCH_SPOOL": str(spool), "TZ": "UTC"}
        yield Place(world, app, url, program, variables)


def client_of(place: Place) -> Client:
    return Client(Settings(url=place.url, key=IngestKey(place.program.token), queue_file=None))


async def test_every_kind_of_row_is_read_with_its_types(place: Place) -> None:
    def read() -> None:
        with client_of(place) as client:
            stream = client.streams.get("import-0")
            assert (stream.name, stream.status, stream.completed, stream.percent) == (
                "Import 0",
                "in_progress",
                2,
                20.0,
            )
            assert isinstance(stream.created_at, datetime)
            assert stream.bars == []
            assert {each.slug for each in client.streams.list(search="IMPORT 1")} == {"import-1"}
            assert [each.slug for each in client.streams.list(limit=2)] == ["import-2", "import-1"]
            assert [each.progress for each in client.scans.list(stream="import-0", status=["scanning", "failed"])]
            assert [each.agent_name for each in client.agents.list(limit=1)] == ["Agent 2"]
            assert [each.signal_strength for each in client.alerts.list(priority="medium")] == [60]
            assert [each.title for each in client.notifications.list(type="warning", limit=1)] == ["Title 2"]
            assert {each.kind for each in client.activities.list(kind="agent")} == {"agent"}
            assert [line.message for line in client.scans.logs("scan-0", level="error")] == ["line 3"]
            assert len(list(client.streams.history("import-0"))) >= 4
            assert [each.number for each in client.agents.comments("agent-0")] == [1, 2]
            soon = datetime.now(UTC) + timedelta(days=1)
            assert list(client.streams.list(since=soon)) == []
            assert len(list(client.streams.list(until=soon, archived=None))) == 3
            assert "lw_" not in repr(client) + repr(vars(client)) + repr(vars(client.streams))

    await asyncio.to_thread(read)


async def test_pages_are_read_as_they_are_used(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livewatch.api.requests.PAGE_ITEMS", 1)

    def read() -> list[str | None]:
        with client_of(place) as client:
            asked: list[str] = []
            get = client.streams._requests.http.request

            def counted(method: str, path: str, body: str | None = None) -> Any:
                asked.append(path)
                return get(method, path)

            monkeypatch.setattr(client.streams._requests.http, "request", counted)
            streams = client.streams.list()
            first = next(streams)
            assert len(asked) == 1
            return [first.slug, *(each.slug for each in streams)]

    assert await asyncio.to_thread(read) == ["import-2", "import-1", "import-0"]


async def test_errors_name_the_next_step(place: Place) -> None:
    def read() -> None:
        with client_of(place) as client:
            with pytest.raises(NotFoundError, match="GET /streams lists them"):
                client.streams.get("nothing")
            with pytest.raises(RejectedError, match="not_started, in_progress") as refused:
                list(client.streams.list(status="faild"))
            assert (refused.value.status, refused.value.code, refused.value.field) == (422, "invalid", "status")
            for odd in ("a/b", "ä", "..", "?", "x" * 300, ""):
                with pytest.raises(RejectedError):
                    client.streams.get(odd)

    await asyncio.to_thread(read)


async def test_the_feed_tells_what_changes(place: Place) -> None:
    def follow() -> list[Any]:
        with client_of(place) as client:
            events = []
            for event in client.follow(str(int(datetime.now(UTC).timestamp() * 1_000_000) - 1_000)):
                if event.slug == "followed":  # type: ignore[union-attr]
                    events.append(event)
                if isinstance(event, FeedDeletion):
                    return events
            return events

    following = asyncio.create_task(asyncio.to_thread(follow))
    await place.program.put("/streams/followed", completed=1, total=4)
    await asyncio.sleep(0.2)
    await place.program.send("DELETE", "/streams/followed")
    events = await asyncio.wait_for(following, deadline(10))
    assert isinstance(events[-1], FeedDeletion)
    changes = [each for each in events if isinstance(each, FeedChange)]
    assert all((each.percent, each.status) == (25.0, "in_progress") for each in changes)


async def test_a_log_is_followed_to_the_end_of_its_run(place: Place) -> None:
    run = "streams/logged"
    await place.program.put(f"/{run}", completed=1)
    await place.program.post("/logs", run=run, lines=[{"message": f"early {n}"} for n in range(3)])
    process = await place.start("-m", "livewatch", "logs", "logged", "--follow", "--lines", "2")
    assert process.stdout
    assert (await asyncio.wait_for(process.stdout.readline(), deadline(10))).endswith(b"  info      early 1\n")
    await place.program.post("/logs", run=run, lines=[{"message": "late", "level": "error"}])
    await place.program.post(f"/{run}/finish", status="completed")
    output, errors = await asyncio.wait_for(process.communicate(), deadline(20))
    assert [line.split("  ")[-1].strip() for line in output.decode().splitlines()] == ["early 2", "late"]
    assert (process.returncode, errors) == (0, b"")
    await place.program.send("DELETE", f"/{run}")


async def test_runs_are_listed_for_people_and_for_programs(place: Place) -> None:
    code, output, errors = await place.said("-m", "livewatch", "ls", "--search", "import")
    assert (code, errors) == (0, "")
    heading, *lines = output.splitlines()
    assert heading.split() == ["STATUS", "DONE", "NAME", "SLUG", "UPDATED"]
    assert [line.split("  ")[0] for line in lines] == ["in_progress"] * 3
    assert len({line.index("import-") for line in lines}) == 1, "aligned"
    code, output, _ = await place.said(
        "-m", "livewatch", "ls", "scans", "--stream", "import-0", "--json", "--limit", "2"
    )
    rows = [json.loads(line) for line in output.splitlines()]
    assert [row["slug"] for row in rows] == ["scan-2", "scan-1"]
    for what in ("agents", "alerts", "notifications", "activities"):
        code, output, errors = await place.said("-m", "livewatch", "ls", what, "--since", "1h")
        assert (code, errors) == (0, "")
        assert "NAME" in output
    code, output, errors = await place.said("-m", "livewatch", "ls", "--since", "2999-01-01")
    assert (code, output, errors) == (0, "", "No streams match.\n")


async def test_a_run_of_any_kind_is_shown_and_opened(place: Place) -> None:
    code, output, errors = await place.said("-m", "livewatch", "show", "scan-0")
    assert (code, errors) == (0, "")
    assert "progress" in output
    assert '["a", "b"]' in output
    code, output, _ = await place.said("-m", "livewatch", "show", "agent-0", "--json")
    row = json.loads(output)
    assert (row["agent_name"], row["input_summary"]) == ("Agent 0", "in")
    code, output, _ = await place.said("-m", "livewatch", "open", "agent-0", "--no-browser")
    assert output == f"{place.url}/monitoring/agents?selected={row['id']}\n"


async def test_mistakes_have_their_exit_codes(place: Place) -> None:
    code, output, errors = await place.said("-m", "livewatch", "show", "nothing")
    assert (code, output) == (1, "")
    assert (
        errors == "livewatch: There is no stream and no scan and no agent 'nothing'; `livewatch ls` lists the slugs.\n"
    )
    code, _, errors = await place.said("-m", "livewatch", "ls", "--status", "faild")
    assert code == 1
    assert "use one of not_started" in errors
    for arguments in (("--limit", "0"), ("--since", "soon"), ("nothing",), ("--since", "999999w")):
        code, _, errors = await place.said("-m", "livewatch", "ls", *arguments)
        assert (code, "usage: livewatch ls" in errors) == (2, True)
    key = place.environment["LIVEWATCH_KEY"]
    place.environment["LIVEWATCH_KEY"] = ""
    try:
        code, _, errors = await place.said("-m", "livewatch", "ls")
    finally:
        place.environment["LIVEWATCH_KEY"] = key
    assert code == 2
    assert "LIVEWATCH_KEY is not set" in errors


async def test_a_key_that_may_not_read_says_so(world: World, place: Place) -> None:
    async with httpx.AsyncClient(base_url=place.url, timeout=deadline(10)) as http:
        program = await a_program(world, http)
    environment = {**place.environment, "LIVEWATCH_KEY": program.token}
    code, _, errors = await Place(world, place.app, place.url, program, environment).said("-m", "livewatch", "ls")
    assert (code, "lacks the scope 'read'" in errors) == (1, True)
