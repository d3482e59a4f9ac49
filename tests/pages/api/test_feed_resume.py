"""Followers of the feed who come back: nothing is lost, on any process, over any interruption."""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest

from pages.api.errors import PREFIX
from services.infra.rate_limiter import Rate
from services.ingest import REPORTING, KeyScope
from tests.pages.program import Program, a_program, application, refused, served
from tests.speed import deadline
from tests.world import World, until

pytestmark = pytest.mark.integration
SCOPES = (*REPORTING, KeyScope.READ)


class Follower:
    """Client that keeps the last id and the newest state of each run."""

    def __init__(self, token: str) -> None:
        self._token = token
        self.last_id = ""
        self.states: dict[str, dict[str, Any]] = {}
        self.deleted: set[str] = set()
        self.events: list[tuple[str, dict[str, Any]]] = []

    async def listen(self, http: httpx.AsyncClient, *, lines: int = 1_000_000) -> None:
        """Read so many lines of a connection, and drop it."""
        async with aclosing(self._lines(http)) as stream:
            event = id = ""
            async for line in stream:
                lines -= 1
                name, _, value = line.partition(": ")
                if name == "event":
                    event = value
                elif name == "id":
                    id = value
                elif name == "data":
                    self._take(event, json.loads(value))
                elif not line:
                    # An event counts once it is whole, as browsers have it.
                    self.last_id, event = id or self.last_id, ""
                if lines <= 0:
                    return

    async def _lines(self, http: httpx.AsyncClient) -> AsyncGenerator[str, None]:
        headers = {"Authorization": f"Bearer {self._token}"}
        if self.last_id:
            headers["Last-Event-ID"] = self.last_id
        async with http.stream("GET", f"{PREFIX}/feed", headers=headers) as answer:
            assert answer.status_code == 200, await answer.aread()
            async for line in answer.aiter_lines():
                yield line

    def _take(self, event: str, data: dict[str, Any]) -> None:
        self.events.append((event, data))
        if event == "delete":
            self.deleted.add(data["id"])
            self.states.pop(data["id"], None)
        elif event == "change" and data["id"] not in self.deleted:
            known = self.states.get(data["id"])
            if known is None or known["version"] <= data["version"]:
                self.states[data["id"]] = data


@pytest.fixture
async def processes(world: World) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Two processes that serve the API."""
    rate = Rate(per_second=10_000, burst=10_000)
    async with (
        served(application(world, world.database, rate)) as one,
        served(application(world, world.database, rate)) as other,
        httpx.AsyncClient(base_url=one, timeout=deadline(10)) as first,
        httpx.AsyncClient(base_url=other, timeout=deadline(10)) as second,
    ):
        yield [first, second]


async def beginning(http: httpx.AsyncClient, program: Program) -> Follower:
    """Return a follower who has seen the beginning of the feed."""
    follower = Follower(program.token)
    await follower.listen(http, lines=3)
    assert follower.last_id
    return follower


async def in_the_database(world: World, org: UUID) -> dict[str, tuple[Any, ...]]:
    rows = await world.sql(
        "select id::text, name, goal_status, completed from streams where org_id = %s "
        "union all select id::text, name, status, targets_analyzed from acquisition_scans where org_id = %s "
        "union all select id::text, agent_name, status, null from agent_executions where org_id = %s",
        *(org, org, org),
    )
    return {row[0]: tuple(row[1:]) for row in rows}


def told(follower: Follower) -> dict[str, tuple[Any, ...]]:
    return {
        id: (state["name"], state["status"], None if state["kind"] == "agent" else state.get("completed"))
        for id, state in follower.states.items()
    }


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_connection_that_breaks_anywhere_loses_nothing(
    world: World, processes: list[httpx.AsyncClient], seed: int
) -> None:
    randomness = random.Random(seed)
    program = await a_program(world, processes[0], scopes=SCOPES)
    follower = await beginning(processes[0], program)
    is_writing = True

    async def write() -> None:
        nonlocal is_writing
        for n in range(150):
            slug, kind = f"run-{randomness.randrange(12)}", randomness.choice(["streams", "scans", "agents"])
            if randomness.random() < 0.15:
                await program.send("DELETE", f"/{kind}/{slug}")
            elif randomness.random() < 0.1:
                await program.post(f"/{kind}/{slug}/finish", status="completed")
            else:
                count = {"streams": {"completed": n}, "scans": {"targets_analyzed": n}, "agents": {}}[kind]
                await program.put(f"/{kind}/{slug}", **count)
        is_writing = False

    writing = asyncio.create_task(write())
    while is_writing:
        with suppress(TimeoutError):
            listening = follower.listen(randomness.choice(processes), lines=randomness.randrange(1, 40))
            await asyncio.wait_for(listening, deadline(0.5))
    await writing
    expected = await in_the_database(world, program.org)
    last = asyncio.create_task(follower.listen(processes[1]))
    await until(lambda: told(follower) == expected, within=10, what="the follower knows the database's states")
    last.cancel()
    deleted = await world.sql("select id::text from deleted_runs where org_id = %s", program.org)
    assert {row[0] for row in deleted} <= follower.deleted
    await asyncio.gather(last, return_exceptions=True)


async def test_what_a_transaction_wrote_long_before_its_commit_is_told(
    world: World, processes: list[httpx.AsyncClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Live, and to who comes back with an id from before the commit."""
    monkeypatch.setattr("services.ingest.run_changes.OVERLAP", timedelta())
    program = await a_program(world, processes[0], scopes=SCOPES)
    await program.put("/streams/slow", completed=1)
    live, away = await beginning(processes[0], program), await beginning(processes[0], program)
    listening = asyncio.create_task(live.listen(processes[0]))
    url = world.status.database_url.get_secret_value()
    async with await psycopg.AsyncConnection.connect(url) as connection:
        cursor = await connection.execute(
            "update streams set completed = 77 where slug = 'slow' and org_id = %s "
            "returning (extract(epoch from updated_at) * 1000000)::bigint",
            (program.org,),
        )
        ((written_at,),) = await cursor.fetchall()
        await program.put("/streams/quick", completed=1)
        await until(lambda: any(state["slug"] == "quick" for state in live.states.values()))
        await away.listen(processes[0], lines=12)
        # Several polls later the id still waits for the open transaction.
        await asyncio.sleep(0.3)
        assert int(live.last_id) <= written_at
        await connection.commit()
    await until(lambda: any(state.get("completed") == 77 for state in live.states.values()))
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    listening = asyncio.create_task(away.listen(processes[1]))
    await until(lambda: any(state.get("completed") == 77 for state in away.states.values()))
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def test_more_than_a_process_remembers_or_reads_at_once_is_told(
    world: World, processes: list[httpx.AsyncClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.ingest.run_changes.PAGE_ROWS", 7)
    monkeypatch.setattr("services.ingest.event_stream.MAX_REMEMBERED_RUNS", 5)
    program = await a_program(world, processes[0], scopes=SCOPES)
    follower = await beginning(processes[0], program)
    await world.sql(
        "insert into streams (org_id, name, slug) select %s, 'S ' || n, 's-' || n from generate_series(1, 60) as n",
        program.org,
    )
    listening = asyncio.create_task(follower.listen(processes[1]))
    await until(lambda: len(follower.states) == 60)
    await asyncio.sleep(0.3)
    assert len(follower.events) < 150, "known states are not told again and again"
    times = [data["at"] for _, data in follower.events[:60]]
    assert times == sorted(times), "in the order of the database"
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def test_deleted_runs_are_told_live_and_later(world: World, processes: list[httpx.AsyncClient]) -> None:
    program = await a_program(world, processes[0], scopes=SCOPES)
    for path in ("/streams/a", "/scans/b", "/agents/c"):
        await program.put(path, **({"stream": "a"} if path != "/streams/a" else {}))
    ids = {row[0] for row in await world.sql("select id::text from agent_executions where org_id = %s", program.org)}
    ids |= {row[0] for row in await world.sql("select id::text from streams where org_id = %s", program.org)}
    live, away = await beginning(processes[0], program), await beginning(processes[1], program)
    listening = asyncio.create_task(live.listen(processes[0]))
    await until(lambda: len(live.states) == 3)
    # With its agents; then the slug is free for another.
    await program.send("DELETE", "/streams/a")
    await program.put("/streams/a", name="Another")
    await until(lambda: live.deleted == ids)
    await until(lambda: any(state["name"] == "Another" for state in live.states.values()))
    (event,) = [data for name, data in live.events if name == "delete" and data["kind"] == "stream"]
    assert (event["slug"], event["name"]) == ("a", "a")
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    listening = asyncio.create_task(away.listen(processes[0]))
    await until(lambda: away.deleted == ids and told(away) == told(live))
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def test_an_organisation_is_deleted_with_its_runs(world: World, processes: list[httpx.AsyncClient]) -> None:
    program = await a_program(world, processes[0], scopes=SCOPES)
    await program.put("/agents/c", stream="a")
    await program.send("DELETE", "/agents/c")
    await world.sql("delete from organizations where id = %s", program.org)
    assert await world.sql("select 1 from deleted_runs where org_id = %s", program.org) == []


async def test_other_organisations_deletions_and_those_of_people_are_not_told(
    world: World, processes: list[httpx.AsyncClient]
) -> None:
    ours, theirs = [await a_program(world, processes[0], scopes=SCOPES) for _ in range(2)]
    reporting = await a_program(world, processes[0])
    followers = [await beginning(processes[0], each) for each in (ours, theirs, reporting)]
    for program in (ours, reporting):
        await world.sql("insert into streams (org_id, name) values (%s, 'by a person')", program.org)
        await program.put("/streams/a", completed=1)
        await world.sql("delete from streams where org_id = %s", program.org)
        await program.put("/streams/last", completed=1)
    await theirs.put("/streams/last", completed=1)
    listening = [asyncio.create_task(each.listen(processes[0])) for each in followers]
    await until(lambda: all(any(s["slug"] == "last" for s in each.states.values()) for each in followers))
    names = [sorted({data["name"] for name, data in each.events if name == "delete"}) for each in followers]
    assert names == [["a", "by a person"], [], ["a"]], "only who reads sees what people made"
    for each in listening:
        each.cancel()
    await asyncio.gather(*listening, return_exceptions=True)


async def test_a_fresh_id_is_told_from_while_a_transaction_stays_open(
    world: World, processes: list[httpx.AsyncClient]
) -> None:
    """A process that has just started cannot look behind it, which is no reason to have the lists read again."""
    program = await a_program(world, processes[0], scopes=SCOPES)
    follower = await beginning(processes[0], program)
    async with await psycopg.AsyncConnection.connect(world.status.database_url.get_secret_value()) as open_one:
        await open_one.execute("insert into organizations (name) values ('never committed')")
        ((now,),) = await world.sql("select (extract(epoch from clock_timestamp()) * 1000000)::bigint")
        follower.last_id = str(now)
        await program.put("/streams/a", completed=1)
        # Another process, which begins to look now.
        listening = asyncio.create_task(follower.listen(processes[1]))
        await until(lambda: follower.states)
        assert [name for name, _ in follower.events if name == "reset"] == []
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await open_one.rollback()


async def test_ids_that_are_none_are_refused_and_old_ones_are_answered(
    world: World, processes: list[httpx.AsyncClient]
) -> None:
    program = await a_program(world, processes[0], scopes=SCOPES)
    await program.put("/streams/kept", completed=1)
    for id in ("abc", "-1", "1.5", "9" * 17, "٣", "x" * 8000):
        answer = await processes[0].get(
            f"{PREFIX}/feed",
            headers={b"authorization": f"Bearer {program.token}".encode(), b"last-event-id": id.encode()},
        )
        assert "Omit it to begin now" in refused(answer, 422, "invalid", "Last-Event-ID")
    for id in ("0", "1", "9" * 16):
        follower = Follower(program.token)
        follower.last_id = id
        listening = asyncio.create_task(follower.listen(processes[0]))
        await until(lambda: follower.events)  # noqa: B023
        name, data = follower.events[0]
        assert name == "reset"
        assert "read the lists again" in data["message"]
        if id != "9" * 16:
            await until(lambda: follower.states, what="what is still there is told")  # noqa: B023
        await program.put("/streams/kept", completed=int(id[0]) + 2)
        await until(lambda: any(s.get("completed") == int(id[0]) + 2 for s in follower.states.values()))  # noqa: B023
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
