"""The feed of changes as server-sent events over a real socket."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from pages.api.errors import PREFIX
from services.infra.rate_limiter import Rate
from services.ingest import KeyScope
from services.ingest.administration import revoke_key
from services.ingest.event_stream import MAX_STREAMS_PER_KEY
from tests.pages.program import Program, a_program, application, served
from tests.speed import deadline
from tests.world import World, until

pytestmark = pytest.mark.integration


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """Serve the API over a real socket, which streaming responses require."""
    app = application(world, world.database, Rate(per_second=10_000, burst=10_000))
    async with served(app) as url, httpx.AsyncClient(base_url=url, timeout=deadline(10)) as http:
        yield http


class Follower:
    """Client of the feed; `changes` are its events, `has_ended` whether the server ended it."""

    def __init__(self) -> None:
        self.changes: list[dict[str, Any]] = []
        self.lines: list[str] = []
        self.has_ended = False

    def told(self, *names: str) -> list[tuple[Any, ...]]:
        return [tuple(change.get(name) for name in names) for change in self.changes]


@asynccontextmanager
async def following(http: httpx.AsyncClient, token: str) -> AsyncIterator[Follower]:
    follower = Follower()

    async def read() -> None:
        async with http.stream("GET", f"{PREFIX}/feed", headers={"Authorization": f"Bearer {token}"}) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert answer.headers["cache-control"] == "no-store"
            async for line in answer.aiter_lines():
                follower.lines.append(line)
                if line.startswith("data: "):
                    follower.changes.append(json.loads(line.removeprefix("data: ")))
        follower.has_ended = True

    reading = asyncio.create_task(read())
    await until(lambda: ": connected" in follower.lines or reading.done())
    try:
        yield follower
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def test_what_one_organisation_reports_its_followers_hear_and_no_other(
    world: World, http: httpx.AsyncClient
) -> None:
    ours, theirs = await a_program(world, http), await a_program(world, http)
    async with following(http, ours.token) as we, following(http, theirs.token) as they:
        await ours.put("/streams/import", name="Import", total=10, completed=4, status="in_progress")
        await ours.put("/scans/targets", name="Targets", stream="import", steps=["a", "b"], step="b", progress=30)
        await ours.put("/agents/writer", stream="import", agent_name="Writer")
        await theirs.put("/streams/import", name="Theirs")
        await until(lambda: len(we.changes) >= 3 and they.changes)
        assert sorted(we.told("kind", "slug", "name", "status", "percent")) == [
            ("agent", "writer", "Writer", "running", None),
            ("scan", "targets", "Targets", "scanning", 30.0),
            ("stream", "import", "Import", "in_progress", 40.0),
        ]
        (stream,) = (change for change in we.changes if change["kind"] == "stream")
        assert (stream["completed"], stream["total"]) == (4, 10)
        ids = await world.sql("select id from streams where org_id = %s and slug = 'import'", ours.org)
        assert stream["url"] == f"/streams/{ids[0][0]}"
        await ours.post("/streams/import/finish", status="blocked", error="no space")
        await until(lambda: ("blocked", "no space") in we.told("status", "error"))
        assert they.told("name") == [("Theirs",)]
        assert len(we.changes) == 4, "each change is told once"


async def test_what_was_before_and_what_nobody_can_see_is_not_told(
    world: World, http: httpx.AsyncClient, program: Program
) -> None:
    ours = await a_program(world, http)
    await ours.put("/streams/old", total=10)
    await world.sql("insert into streams (org_id, name) values (%s, 'made by a member')", ours.org)
    async with following(http, ours.token) as we:
        await ours.put("/streams/new", completed=1)
        await until(lambda: we.changes)
        # A heartbeat, which changes nothing visible.
        await ours.post("/heartbeats", runs=["streams/new"])
        await world.sql("update streams set description = 'x' where org_id = %s and slug is null", ours.org)
        await ours.put("/streams/new", completed=2)
        await until(lambda: len(we.changes) >= 2)
        assert we.told("slug", "completed") == [("new", 1), ("new", 2)]


async def test_a_revoked_key_hears_no_more(world: World, http: httpx.AsyncClient) -> None:
    ours = await a_program(world, http)
    async with following(http, ours.token) as we:
        await revoke_key(world.database, ours.admin.identity, ours.key)
        revoked = time.monotonic()
        await until(lambda: we.has_ended)
        assert time.monotonic() - revoked < deadline(5)
        await world.sql("insert into streams (org_id, name, slug) values (%s, 'late', 'late')", ours.org)
    assert we.changes == []
    await until(lambda: asyncio.all_tasks() and not reading(ours))


async def test_many_followers_of_a_key_share_one_reader_which_ends_with_them(
    world: World, http: httpx.AsyncClient
) -> None:
    ours = await a_program(world, http)
    async with following(http, ours.token) as one, following(http, ours.token) as another:
        assert len(reading(ours)) == 1
        await ours.put("/streams/import", completed=1)
        await until(lambda: one.changes and another.changes)
        assert one.changes == another.changes
    await until(lambda: not reading(ours), within=10, what="the reader ends")
    async with following(http, ours.token) as again:
        await ours.put("/streams/import", completed=2)
        await until(lambda: again.told("completed") == [(2,)])


def reading(program: Program) -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if str(program.key) in task.get_name()]


async def test_who_may_not_follow_is_told_why(world: World, http: httpx.AsyncClient) -> None:
    ours = await a_program(world, http, scopes=(KeyScope.ALERTS,))
    answer = await ours.send("GET", "/feed")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "scope")
    answer = await http.get(f"{PREFIX}/feed", headers={"Authorization": "Bearer nothing"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "bad_key")


async def test_a_key_has_so_many_followers_and_no_more(world: World) -> None:
    app = application(world, world.database, Rate(per_second=10_000, burst=10_000))
    limits = httpx.Limits(max_connections=MAX_STREAMS_PER_KEY + 2)
    async with served(app) as url, httpx.AsyncClient(base_url=url, timeout=deadline(10), limits=limits) as http:
        ours = await a_program(world, http)
        async with AsyncFollowers(http, ours.token, MAX_STREAMS_PER_KEY):
            answer = await ours.send("GET", "/feed")
            assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate")
            assert answer.headers["retry-after"] == "10"


class AsyncFollowers:
    """Concurrent followers of the feed, `count` in number."""

    def __init__(self, http: httpx.AsyncClient, token: str, count: int) -> None:
        self._all = [following(http, token) for _ in range(count)]

    async def __aenter__(self) -> None:
        await asyncio.gather(*(each.__aenter__() for each in self._all))

    async def __aexit__(self, *error: object) -> None:
        await asyncio.gather(*(each.__aexit__(None, None, None) for each in self._all))
