"""Table changes: policies, filters, large rows, and no change lost or doubled."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import psycopg
import pytest

from local_supabase.process import LocalSupabase
from local_supabase.retry import poll
from local_supabase.tests.tools import U1, U2, Tokens, join_payload, owner_of, raw_socket, receive, send

pytestmark = pytest.mark.integration

Owner = psycopg.AsyncConnection[Any]
INSERTIONS = {"event": "INSERT", "schema": "public", "table": "open_notes"}
DELETIONS = {"event": "DELETE", "schema": "public", "table": "open_notes"}
TERMINATE_STREAM = b"select pg_terminate_backend(active_pid) from pg_replication_slots where active"


@asynccontextmanager
async def bound(local: LocalSupabase, token: str, binding: dict[str, Any]) -> AsyncIterator[Callable[[], Any]]:
    """Bind a raw socket to table changes; yield a function that reads the next change's `data`."""
    async with raw_socket(local.status.api_url, token) as socket:
        await send(socket, "realtime:b", "phx_join", join_payload(postgres_changes=[binding]))
        await receive(socket)
        assert (await receive(socket))["payload"]["message"] == "Subscribed to PostgreSQL"

        async def following() -> Any:
            return (await receive(socket))["payload"]["data"]

        yield following


async def test_changes_of_an_identity_handed_over_follow_the_new_user_at_once(
    local: LocalSupabase, tokens: Tokens, owner: Owner
) -> None:
    async with raw_socket(local.status.api_url, tokens.of(U1)) as socket:
        binding = {"event": "INSERT", "schema": "public", "table": "todos"}
        await send(socket, "realtime:tc", "phx_join", join_payload(postgres_changes=[binding]))
        assert [(await receive(socket))["event"] for _ in range(2)] == ["phx_reply", "system"]
        await send(socket, "realtime:tc", "access_token", {"access_token": tokens.of(U2)})
        assert (await receive(socket))["event"] == "system"
        await owner.execute("insert into public.todos (user_id, title) values (%s, 'a'), (%s, 'b')", (U1, U2))
        assert (await receive(socket))["payload"]["data"]["record"]["title"] == "b"
    await owner.execute("delete from public.todos")


@asynccontextmanager
async def logged_and_not_visible(local: LocalSupabase, superuser: Owner, statement: str) -> AsyncIterator[None]:
    """Commit a statement that the log holds and no other session sees until the context ends.

    A commit that waits for a standby server is at that point; other commits pass it in microseconds.
    """
    await superuser.execute("alter system set synchronous_standby_names = 'nobody'")
    await superuser.execute("select pg_reload_conf()")
    async with owner_of(local) as writer:
        await until_equal(writer, "show synchronous_standby_names", "nobody")
        writing = asyncio.create_task(writer.execute(statement.encode()))
        waiting = f"select wait_event from pg_stat_activity where pid = {writer.info.backend_pid}"
        try:
            await until_equal(superuser, waiting, "SyncRep")
            yield
        finally:
            await superuser.execute("alter system reset synchronous_standby_names")
            await superuser.execute("select pg_reload_conf()")
            await writing


async def until_equal(connection: Owner, query: str, expected: str) -> None:
    async def is_equal() -> bool:
        row = await (await connection.execute(query.encode())).fetchone()
        return bool(row and row[0] == expected)

    await poll(is_equal, every=0.01, within=20)


async def test_who_subscribes_while_a_commit_is_not_visible_yet_gets_its_changes(
    local: LocalSupabase, tokens: Tokens, owner: Owner, superuser: Owner
) -> None:
    async with bound(local, tokens.of(), INSERTIONS) as earlier, AsyncExitStack() as later:
        async with logged_and_not_visible(local, superuser, "insert into public.open_notes (n) values (41)"):
            await asyncio.sleep(1.0)
            following = await later.enter_async_context(bound(local, tokens.of(), INSERTIONS))
        assert (await earlier())["record"]["n"] == 41
        assert (await following())["record"]["n"] == 41
    await owner.execute("delete from public.open_notes")


async def test_a_delete_is_not_told_before_others_miss_the_row(
    local: LocalSupabase, tokens: Tokens, owner: Owner, superuser: Owner
) -> None:
    await owner.execute("insert into public.open_notes (n) values (42)")
    async with bound(local, tokens.of(), DELETIONS) as following:
        async with logged_and_not_visible(local, superuser, "delete from public.open_notes where n = 42"):
            told = asyncio.create_task(following())
            await asyncio.sleep(1.0)
            assert not told.done()
        assert (await told)["type"] == "DELETE"


async def test_a_row_gone_before_the_policies_are_asked_shows_its_delete_only(
    local: LocalSupabase, tokens: Tokens, owner: Owner
) -> None:
    async with bound(local, tokens.of(U1), {"event": "*", "schema": "public", "table": "todos"}) as following:
        await owner.execute(
            f"begin; insert into public.todos (user_id) values ('{U1}'); update public.todos set done = true;"
            "delete from public.todos; commit"
        )
        assert (await following())["type"] == "DELETE"


async def test_a_large_row_below_the_limit_arrives_whole(local: LocalSupabase, tokens: Tokens, owner: Owner) -> None:
    async with bound(local, tokens.of(), {"event": "*", "schema": "public", "table": "open_notes"}) as following:
        await owner.execute("insert into public.open_notes (body) values (repeat('y', 900000))")
        data = await following()
        assert data["errors"] is None
        assert len(data["record"]["body"]) == 900_000
        await owner.execute("update public.open_notes set n = 1 where length(body) = 900000")
        assert "body" not in (await following())["record"], "an untouched large value is not repeated"
    await owner.execute("delete from public.open_notes")


@pytest.mark.parametrize(
    ("condition", "numbers"),
    [
        ("n=eq.2", [2]), ("n=neq.2", [1, 3]), ("n=lt.2", [1]), ("n=lte.2", [1, 2]), ("n=gt.2", [3]),
        ("n=gte.2", [2, 3]),
        ("n=in.(1,3)", [1, 3]), ("n=not.eq.2", [1, 3]), ("body=eq.b", [2]), ("body=gt.a", [2, 3]),
        ("body=in.(a,b)", [1, 2]),
        ("body=like.%c", [3]),
        ("body=not.ilike.%C", [1, 2]),
        ("body=match.^[ab]$", [1, 2]),
        ("body=imatch.^[AB]$", [1, 2]),
        ("body=isdistinct.a", [2, 3, 0]),
        ("body=is.null", [0]),
        ("body=not.is.null", [1, 2, 3]),
        ("ts=lt.2000-01-01", []), ("ts=gt.2000-01-01 00:00:00+00", [1, 2, 3]),
    ],
)  # fmt: skip
async def test_filters_choose_rows(
    local: LocalSupabase, tokens: Tokens, owner: Owner, condition: str, numbers: list[int]
) -> None:
    binding = {"event": "INSERT", "schema": "public", "table": "open_notes", "filter": condition}
    async with (
        bound(local, tokens.of(), binding) as following,
        bound(local, tokens.of(), {**binding, "filter": "n=eq.0"}) as end,
    ):
        await owner.execute("insert into public.open_notes (body, n) values ('a', 1), ('b', 2), ('c', 3), (null, 0)")
        assert [(await following())["record"]["n"] for _ in numbers] == numbers
        assert (await end())["record"]["n"] == 0
    await owner.execute("delete from public.open_notes")


async def test_a_filter_takes_at_most_a_hundred_values(local: LocalSupabase, tokens: Tokens) -> None:
    values = ",".join(map(str, range(101)))
    binding = {"event": "*", "schema": "public", "table": "open_notes", "filter": f"n=in.({values})"}
    async with raw_socket(local.status.api_url, tokens.of()) as socket:
        await send(socket, "realtime:b", "phx_join", join_payload(postgres_changes=[binding]))
        await receive(socket)
        payload = (await receive(socket))["payload"]
        assert payload["status"] == "error"
        assert "Maximum 100" in payload["message"]


async def test_a_table_published_later_is_seen_by_those_bound_to_its_schema(
    local: LocalSupabase, tokens: Tokens, owner: Owner
) -> None:
    async with bound(local, tokens.of(), {"event": "*", "schema": "public"}) as following:
        await owner.execute("create table public.later (id int primary key, tags text[])")
        await owner.execute("alter publication supabase_realtime add table public.later")
        try:
            await owner.execute("insert into public.later values (1, '{a,b}')")
            data = await following()
            assert (data["table"], data["record"]) == ("later", {"id": 1, "tags": ["a", "b"]})
        finally:
            await owner.execute("drop table public.later")


async def test_no_change_is_lost_or_doubled_when_the_change_stream_breaks(
    local: LocalSupabase, tokens: Tokens, owner: Owner, superuser: Owner
) -> None:
    async with bound(local, tokens.of(), {"event": "INSERT", "schema": "public", "table": "open_notes"}) as following:
        for number in range(60):
            await owner.execute("insert into public.open_notes (n) values (%s)", (number,))
            if number % 20 == 10:
                await superuser.execute(TERMINATE_STREAM)
        assert [(await following())["record"]["n"] for _ in range(60)] == list(range(60))
        await owner.execute("insert into public.open_notes (n) values (60)")
        assert (await following())["record"]["n"] == 60
    await owner.execute("delete from public.open_notes")
