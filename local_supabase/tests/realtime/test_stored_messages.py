"""Stored messages: the order in which they are replayed, and how long they are kept."""

import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from local_supabase.process import LocalSupabase
from local_supabase.tests.tools import (
    MIGRATIONS,
    U1,
    Tokens,
    admin_of,
    join_payload,
    owner_of,
    raw_socket,
    receive,
    send,
    until,
)

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
        await owner.execute((insert % (11, 10_001)).encode())
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


async def partitions(owner: Owner) -> list[str]:
    rows = await (
        await owner.execute(
            "select inhrelid::regclass::text from pg_inherits"
            " where inhparent = 'realtime.messages'::regclass order by 1"
        )
    ).fetchall()
    return [row[0] for row in rows]


async def rotate(admin: Owner, minutes: int) -> None:
    await admin.execute("select realtime.rotate_messages(make_interval(mins => %s))", (minutes,))


async def test_a_session_of_another_time_zone_stores_messages_where_all_others_do(
    local: LocalSupabase, owner: Owner, topic: str
) -> None:
    async with owner.transaction(force_rollback=True):
        await owner.execute("set local timezone = 'Pacific/Kiritimati'")
        await owner.execute("select realtime.send('{}', 'e', %s)", (topic,))
        cursor = await owner.execute(
            "select tableoid::regclass::text, abs(extract(epoch from inserted_at - now() at time zone 'utc')) < 60"
            " from realtime.messages where topic = %s",
            (topic,),
        )
        rows = await cursor.fetchall()
    assert [(name == "realtime.messages_default", is_now) for name, is_now in rows] == [(False, True)]


async def test_old_messages_leave_with_their_partition(tmp_path: Path) -> None:
    async with (
        LocalSupabase.start(data=tmp_path / "data", migrations=MIGRATIONS) as local,
        admin_of(local, tmp_path / "data") as admin,
    ):

        async def count(topic: str) -> int:
            counted = await admin.execute("select count(*)::int from realtime.messages where topic = %s", (topic,))
            ((number,),) = await counted.fetchall()
            return int(number)

        # A transaction that broadcast something holds a lock: nothing waits for it, and the space is free at once.
        async with owner_of(local) as writer, writer.transaction():
            await writer.execute("select realtime.send('{}', 'e', 'mine')")
            before = set(await partitions(admin))
            hour = "date_trunc('hour', now() at time zone 'utc')"
            span = f"{hour} - interval '5 hours', {hour} - interval '4 hours'"
            await admin.execute(f"select realtime.add_message_partition({span})".encode())
            (old,) = set(await partitions(admin)) - before
            await admin.execute(
                f"insert into realtime.messages (payload, event, topic, private, extension, inserted_at)"
                f" select '{{}}', 'e', 'old', true, 'presence', {hour} - interval '270 minutes'".encode()
            )
            await rotate(admin, 10)
            assert old in await partitions(admin)
            assert await count("old") == 0
            await admin.execute("select realtime.send('{}', 'e', 'mine')")

        async def is_gone() -> bool:
            await rotate(admin, 10)
            return old not in await partitions(admin)

        await until(is_gone)
        assert await count("mine") == 2


async def test_messages_after_a_jump_of_the_clock_are_stored_and_find_their_partition(tmp_path: Path) -> None:
    async with (
        LocalSupabase.start(data=tmp_path / "data", migrations=MIGRATIONS) as local,
        admin_of(local, tmp_path / "data") as admin,
    ):
        for name in await partitions(admin):
            if not name.endswith("_default"):
                await admin.execute(f"drop table {name}".encode())
        await admin.execute("select realtime.send('{}', 'e', 'late')")
        where = "select tableoid::regclass::text, xmin from realtime.messages where topic = 'late'"
        ((name, _),) = await (await admin.execute(where.encode())).fetchall()
        assert name == "realtime.messages_default"
        await rotate(admin, 10)
        await rotate(admin, 10)
        ((name, _),) = await (await admin.execute(where.encode())).fetchall()
        assert name != "realtime.messages_default"


async def test_a_data_directory_of_an_earlier_version_keeps_messages_and_policies(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with (
        LocalSupabase.start(data=data, migrations=MIGRATIONS) as local,
        admin_of(local, data) as admin,
    ):
        policies = "select policyname, cmd, roles::text, qual, with_check from pg_policies where tablename = 'messages'"
        before = await (await admin.execute(f"{policies} order by 1".encode())).fetchall()
        assert before
        await admin.execute(AS_BEFORE.encode())
        await admin.execute("select realtime.send('{\"n\": 1}', 'e', 'kept')")
        await local.restart()
    async with (
        LocalSupabase.start(data=data, migrations=MIGRATIONS) as local,
        admin_of(local, data) as admin,
    ):
        assert len(await partitions(admin)) > 1
        assert await (await admin.execute(f"{policies} order by 1".encode())).fetchall() == before
        rows = await (
            await admin.execute("select payload ->> 'n' from realtime.messages where topic = 'kept'")
        ).fetchall()
        assert rows == [("1",)]
        # And again, as after the next change of the bootstrap.
        await admin.execute("delete from local_supabase.bootstrap")
        await local.restart()
    async with LocalSupabase.start(data=data, migrations=MIGRATIONS) as local, admin_of(local, data) as admin:
        assert await (await admin.execute(f"{policies} order by 1".encode())).fetchall() == before
        triggers = await (
            await admin.execute(
                "select count(distinct tgrelid), count(*) from pg_trigger where tgname = 'notify_message'"
            )
        ).fetchone()
        assert triggers is not None
        assert triggers[0] == triggers[1] == len(await partitions(admin)) + 1


# The table as versions without partitions made it, with the policies of the present one.
AS_BEFORE = """
    do $$
    declare
        policies text[] := array(
            select format('create policy %I on realtime.messages for %s to %s%s%s', policyname, cmd,
                array_to_string(roles, ', '), ' using (' || qual || ')', ' with check (' || with_check || ')')
            from pg_policies where tablename = 'messages');
        policy text;
    begin
        drop table realtime.messages;
        create table realtime.messages (
            topic text not null, extension text not null, payload jsonb, event text, private boolean default false,
            updated_at timestamp not null default now(), inserted_at timestamp not null default now(),
            id uuid not null default gen_random_uuid(), primary key (id, inserted_at));
        alter table realtime.messages enable row level security;
        create index messages_inserted_at_topic_index on realtime.messages (inserted_at desc, topic)
            where extension = 'broadcast' and private;
        create trigger notify_message after insert on realtime.messages
            for each row when (new.extension = 'broadcast') execute function realtime.notify_message();
        foreach policy in array policies loop
            execute policy;
        end loop;
        delete from local_supabase.bootstrap;
    end
    $$
"""
