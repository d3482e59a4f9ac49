"""Stored messages: the order in which they are replayed, and how long they are kept."""

import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from local_supabase.process import LocalSupabase
from local_supabase.realtime.channels.broadcasts import PRUNE_BATCH_SIZE
from local_supabase.tests.tools import MIGRATIONS, U1, Tokens, join_payload, owner_of, raw_socket, receive, send, until

pytestmark = pytest.mark.integration

Owner = psycopg.AsyncConnection[Any]


async def replayed(local: LocalSupabase, tokens: Tokens, topic: str, limit: int) -> list[int]:
    since = int((time.time() - 60) * 1000)
    numbers: list[int] = []
    async with raw_socket(local.status.api_url, tokens.of(U1)) as socket:
        config: dict[str, Any] = {
            "broadcast": {"ack": False, "self": False, "replay": {"since": since, "limit": limit}}
        }
        await send(socket, f"realtime:{topic}", "phx_join", join_payload(private=True, **config))
        assert (await receive(socket))["payload"]["status"] == "ok"
        while len(numbers) < limit:
            payload = (await receive(socket))["payload"]
            if payload.get("meta", {}).get("replayed"):
                numbers.append(payload["payload"]["n"])
    return numbers


async def test_messages_of_one_transaction_are_replayed_in_the_order_of_arrival(
    local: LocalSupabase, tokens: Tokens, owner: Owner, topic: str
) -> None:
    send_all = "select realtime.send(jsonb_build_object('n', n), 'e', %s) from generate_series({}) n"
    await owner.execute(send_all.format("0, 19").encode(), (topic,))
    await owner.execute(
        "insert into realtime.messages (payload, event, topic, private, extension)"
        " select jsonb_build_object('n', n), 'e', %s, true, 'broadcast' from generate_series(20, 29) n",
        (topic,),
    )
    assert await replayed(local, tokens, topic, 25) == list(range(5, 30))
    assert await replayed(local, tokens, topic, 10) == list(range(20, 30))


async def test_messages_are_kept_for_the_time_of_the_limit(tmp_path: Path) -> None:
    async with LocalSupabase.start(data=tmp_path / "data", migrations=MIGRATIONS) as local, owner_of(local) as owner:
        insert = (
            "insert into realtime.messages (payload, event, topic, private, extension, inserted_at)"
            " select '{}', 'e', 't', true, 'presence', (now() at time zone 'utc') - interval '%s minutes'"
            " from generate_series(1, %s)"
        )
        await owner.execute((insert % (9, 3)).encode())
        await owner.execute((insert % (11, 2 * PRUNE_BATCH_SIZE + 1)).encode())
        await local.restart()

        async def has_only_the_newer() -> bool:
            async with owner_of(local) as owner:
                row = await (await owner.execute("select count(*) from realtime.messages")).fetchone()
            return row == (3,)

        await until(has_only_the_newer)


async def test_large_messages_keep_their_place_among_small_ones(
    local: LocalSupabase, tokens: Tokens, owner: Owner, topic: str
) -> None:
    sizes = [10, 7_000, 7_900, 7_990, 8_010, 100_000, 10]
    async with raw_socket(local.status.api_url, tokens.of(U1)) as socket:
        await send(socket, f"realtime:{topic}", "phx_join", join_payload(private=True))
        assert (await receive(socket))["payload"]["status"] == "ok"
        for size in sizes:
            await owner.execute(
                "select realtime.send(jsonb_build_object('text', repeat('ä', %s)), e'an\\nevent', %s)", (size, topic)
            )
        received: list[int] = []
        while len(received) < len(sizes):
            frame = await receive(socket)
            if frame["event"] == "broadcast":
                assert frame["payload"]["event"] == "an\nevent"
                received.append(len(frame["payload"]["payload"]["text"]))
    assert received == sizes


async def test_a_notification_by_anybody_else_is_no_message(
    local: LocalSupabase, tokens: Tokens, owner: Owner, topic: str
) -> None:
    for role in ("anon", "authenticated", "service_role"):
        async with owner.transaction(force_rollback=True):
            await owner.execute(f"set local role {role}".encode())
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await owner.execute("select name from realtime.notification_channel")
    forged = '["00000000-0000-4000-8000-000000000000", "%s", "forged", true]\n{}' % topic  # noqa: UP031
    async with raw_socket(local.status.api_url, tokens.of(U1)) as socket:
        await send(socket, f"realtime:{topic}", "phx_join", join_payload(private=True))
        assert (await receive(socket))["payload"]["status"] == "ok"
        for channel in ("realtime_messages", "realtime", "realtime_"):
            await owner.execute("select pg_notify(%s, %s)", (channel, forged))
        await owner.execute("select realtime.send('{}', 'genuine', %s)", (topic,))
        while (frame := await receive(socket))["event"] != "broadcast":
            pass
    assert frame["payload"]["event"] == "genuine"
