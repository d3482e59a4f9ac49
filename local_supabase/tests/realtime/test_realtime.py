"""Realtime through the official client and raw sockets: policies, presence, replay, changes and failures."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import psycopg
import pytest
from realtime import (
    AsyncRealtimeChannel,
    AsyncRealtimeClient,
    RealtimeChannelOptions,
    RealtimePostgresChangesListenEvent,
    RealtimeSubscribeStates,
)
from websockets.exceptions import ConnectionClosed

from local_supabase.process import LocalSupabase
from local_supabase.tests.speed import deadline
from local_supabase.tests.tools import U1, U2, Tokens, join_payload, raw_socket, receive, send, until

pytestmark = pytest.mark.integration

Owner = psycopg.AsyncConnection[Any]
Heard = list[dict[str, Any]]
TERMINATE_LISTENER = (
    b"select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'realtime_listen'"
)
PRIVATE: RealtimeChannelOptions = {
    "config": {"private": True, "broadcast": {"ack": True, "self": False, "replication_ready": True}, "presence": None}
}


@asynccontextmanager
async def client_of(local: LocalSupabase, token: str | None = None) -> AsyncIterator[AsyncRealtimeClient]:
    key = local.status.anon_key.get_secret_value()
    client = AsyncRealtimeClient(f"{local.status.api_url}/realtime/v1", key, auto_reconnect=False)
    await client.connect()
    if token:
        await client.set_auth(token)
    try:
        yield client
    finally:
        await client.close()


def hear(messages: Heard) -> Callable[[Any], None]:
    """Return a callback that appends to `messages`."""
    return messages.append


async def subscribe(channel: AsyncRealtimeChannel) -> RealtimeSubscribeStates:
    """Subscribe, wait for the replication connection if it was requested, and return the state."""
    answered: asyncio.Future[RealtimeSubscribeStates] = asyncio.get_running_loop().create_future()
    ready = asyncio.Event()
    channel.on_system(lambda payload: ready.set())

    def heard(state: RealtimeSubscribeStates, error: Exception | None) -> None:
        if not answered.done():
            answered.set_result(state)

    await channel.subscribe(heard)
    async with asyncio.timeout(deadline(10)):
        state = await answered
        broadcast: Any = channel.params["config"]["broadcast"]
        if state is RealtimeSubscribeStates.SUBSCRIBED and broadcast and broadcast.get("replication_ready"):
            await ready.wait()
    return state


async def test_a_message_from_the_database_reaches_those_whom_the_policies_let_listen(
    local: LocalSupabase, tokens: Tokens, owner: Owner, topic: str
) -> None:
    async with client_of(local, tokens.of(U1)) as mine, client_of(local, tokens.of(U2)) as foreign:
        heard: Heard = []
        channel = mine.channel(topic, PRIVATE).on_broadcast("news", hear(heard))
        assert await subscribe(channel) is RealtimeSubscribeStates.SUBSCRIBED
        assert await subscribe(foreign.channel(topic, PRIVATE)) is RealtimeSubscribeStates.CHANNEL_ERROR
        await owner.execute("select realtime.send(%s, 'news', %s, true)", ('{"n": 1}', topic))
        await until(lambda: len(heard) == 1)
        assert heard[0]["payload"]["n"] == 1


async def test_a_change_arrives_in_the_shape_of_broadcast_changes(
    local: LocalSupabase, tokens: Tokens, owner: Owner
) -> None:
    await owner.execute("insert into public.listeners values ('notes', %s)", (U1,))
    async with client_of(local, tokens.of(U1)) as client:
        heard: Heard = []
        await subscribe(client.channel("notes", PRIVATE).on_broadcast("INSERT", hear(heard)))
        await owner.execute("insert into public.open_notes (body, n) values ('hello', 7)")
        await until(lambda: len(heard) == 1)
    payload = heard[0]["payload"]
    assert payload["operation"] == "INSERT"
    assert (payload["schema"], payload["table"], payload["old_record"]) == ("public", "open_notes", None)
    assert payload["record"]["body"] == "hello"
    await owner.execute("delete from public.listeners where topic = 'notes'")


async def test_private_messages_stay_off_public_channels_and_the_other_way_round(
    local: LocalSupabase, tokens: Tokens, owner: Owner, topic: str
) -> None:
    async with client_of(local, tokens.of(U1)) as client, client_of(local) as anonymous:
        private: Heard = []
        public: Heard = []
        await subscribe(client.channel(topic, PRIVATE).on_broadcast("*", hear(private)))
        await subscribe(anonymous.channel(topic).on_broadcast("*", hear(public)))
        await owner.execute(
            "select realtime.send('{}', 'secret', %s, true), realtime.send('{}', 'open', %s, false)", (topic, topic)
        )
        await until(lambda: bool(private and public))
        assert [message["event"] for message in private] == ["secret"]
        assert [message["event"] for message in public] == ["open"]


async def test_a_rolled_back_transaction_sends_nothing_and_messages_keep_the_order_of_commits(
    local: LocalSupabase, tokens: Tokens, owner: Owner, topic: str
) -> None:
    url = local.status.database_url.get_secret_value()
    async with client_of(local, tokens.of(U1)) as client, await psycopg.AsyncConnection.connect(url) as slow:
        heard: Heard = []
        await subscribe(client.channel(topic, PRIVATE).on_broadcast("e", hear(heard)))
        await slow.execute("select realtime.send('{\"n\": 0}', 'e', %s)", (topic,))
        async with owner.transaction(force_rollback=True):
            await owner.execute("select realtime.send('{\"n\": 9}', 'e', %s)", (topic,))
        for number in range(1, 4):
            await owner.execute("select realtime.send(%s, 'e', %s)", (f'{{"n": {number}}}', topic))
        await slow.commit()
        await until(lambda: len(heard) == 4)
        assert [message["payload"]["n"] for message in heard] == [1, 2, 3, 0]


async def test_nothing_is_lost_or_doubled_when_the_database_connection_breaks(
    local: LocalSupabase, tokens: Tokens, owner: Owner, superuser: Owner, topic: str
) -> None:
    url = local.status.database_url.get_secret_value()

    async def write(writer: int) -> None:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as own:
            for number in range(writer, 2000, 4):
                await own.execute("select realtime.send(%s, 'e', %s)", (f'{{"n": {number}}}', topic))
                if number % 40 == 10:
                    await superuser.execute(TERMINATE_LISTENER)

    async with client_of(local, tokens.of(U1)) as client:
        heard: Heard = []
        await subscribe(client.channel(topic, PRIVATE).on_broadcast("e", hear(heard)))
        await asyncio.gather(*(write(writer) for writer in range(4)))
        await until(lambda: len(heard) >= 2000)
        await owner.execute("select realtime.send('{\"n\": 2000}', 'e', %s)", (topic,))
        await until(lambda: heard[-1]["payload"]["n"] == 2000)
    assert sorted(message["payload"]["n"] for message in heard) == list(range(2001))


async def test_notifications_of_others_and_half_characters_do_no_harm(
    local: LocalSupabase, tokens: Tokens, owner: Owner, topic: str
) -> None:
    async with client_of(local, tokens.of(U1)) as client, raw_socket(local.status.api_url, tokens.of(U1)) as socket:
        heard: Heard = []
        await subscribe(client.channel(topic, PRIVATE).on_broadcast("e", hear(heard)))
        await owner.execute(
            "select pg_notify('realtime_messages', 'junk'), pg_notify('realtime_messages', 'checkpoint:/')"
        )
        await socket.send('{"topic": "realtime:\\ud800", "event": "phx_join", "payload": {}, "ref": "1"}')
        await send(socket, "phoenix", "heartbeat", {}, ref="alive")
        assert (await receive(socket))["ref"] == "alive"
        await owner.execute("select realtime.send('{}', 'e', %s)", (topic,))
        await until(lambda: len(heard) == 1)


async def test_a_topic_without_write_policy_takes_no_broadcast_from_a_client(
    local: LocalSupabase, tokens: Tokens, owner: Owner, topic: str
) -> None:
    await owner.execute("update public.listeners set may_write = false where topic = %s", (topic,))
    async with client_of(local, tokens.of(U1)) as sender, client_of(local, tokens.of(U1)) as listener:
        heard: Heard = []
        await subscribe(listener.channel(topic, PRIVATE).on_broadcast("*", hear(heard)))
        channel = sender.channel(topic, PRIVATE)
        await subscribe(channel)
        await channel.send_broadcast("forged", {})
        await owner.execute("select realtime.send('{}', 'genuine', %s)", (topic,))
        await until(lambda: len(heard) == 1)
        assert heard[0]["event"] == "genuine"


async def test_a_channel_goes_on_under_another_members_token_and_ends_under_a_strangers(
    local: LocalSupabase, tokens: Tokens, owner: Owner, topic: str
) -> None:
    other = str(uuid.uuid4())
    await owner.execute("insert into public.listeners values (%s, %s)", (topic, other))
    async with raw_socket(local.status.api_url, local.status.anon_key.get_secret_value()) as socket:
        name = f"realtime:{topic}"
        await send(socket, name, "phx_join", join_payload(private=True, token=tokens.of(U1)))
        assert (await receive(socket))["payload"]["status"] == "ok"
        await send(socket, name, "access_token", {"access_token": tokens.of(other)})
        await send(socket, "phoenix", "heartbeat", {}, ref="beat")
        assert (await receive(socket))["ref"] == "beat"
        await owner.execute("select realtime.send('{}', 'still here', %s)", (topic,))
        assert (await receive(socket))["payload"]["event"] == "still here"
        await send(socket, name, "access_token", {"access_token": tokens.of(U2)})
        system = await receive(socket)
        assert system["payload"]["message"] == f"You do not have permissions to read from this Channel topic: {topic}"
        assert (await receive(socket))["event"] == "phx_close"
    await owner.execute("delete from public.listeners where user_id = %s", (other,))


async def test_presence_on_a_private_topic_follows_the_policies(
    local: LocalSupabase, tokens: Tokens, owner: Owner, topic: str
) -> None:
    key = local.status.anon_key.get_secret_value()
    config: dict[str, Any] = {"presence": {"key": "me", "enabled": True}}
    name = f"realtime:{topic}"
    await owner.execute("update public.listeners set may_write = false where topic = %s", (topic,))
    async with raw_socket(local.status.api_url, key) as socket:
        await send(socket, name, "phx_join", join_payload(private=True, token=tokens.of(U1), **config))
        assert (await receive(socket))["payload"]["status"] == "ok"
        assert (await receive(socket))["event"] == "presence_state"
        await send(socket, name, "presence", {"type": "presence", "event": "track", "payload": {"a": 1}}, ref="2")
        assert (await receive(socket))["payload"]["status"] == "error"
        await owner.execute("update public.listeners set may_write = true where topic = %s", (topic,))
        await send(socket, name, "phx_join", join_payload(private=True, token=tokens.of(U1), **config), ref="3")
        assert [(await receive(socket))["event"] for _ in range(3)] == ["phx_reply", "phx_close", "presence_state"]
        await send(socket, name, "presence", {"type": "presence", "event": "track", "payload": {"a": 1}}, ref="4")
        assert (await receive(socket))["payload"]["status"] == "ok"
        assert list((await receive(socket))["payload"]["joins"]) == ["me"]


async def test_replay_brings_the_newest_messages_of_a_private_topic_oldest_first(
    local: LocalSupabase, tokens: Tokens, owner: Owner, topic: str
) -> None:
    for number in range(30):
        await owner.execute("select realtime.send(%s, 'e', %s)", (f'{{"n": {number}}}', topic))
    since = int((time.time() - 60) * 1000)
    async with raw_socket(local.status.api_url, tokens.of(U1)) as socket:
        config: dict[str, Any] = {"broadcast": {"ack": False, "self": False, "replay": {"since": since, "limit": 25}}}
        await send(socket, f"realtime:{topic}", "phx_join", join_payload(private=True, **config))
        assert (await receive(socket))["payload"]["status"] == "ok"
        messages: list[dict[str, Any]] = []
        while len(messages) < 25:
            # The newest may be delivered live as well, if the server reads them only after the join.
            if "meta" in (payload := (await receive(socket))["payload"]):
                messages.append(payload)
        assert [message["payload"]["n"] for message in messages] == list(range(5, 30))
        assert messages[0]["meta"] == {"id": messages[0]["payload"]["id"], "replayed": True}
        for params, private in (
            ({"since": since}, False),
            ({"since": "now"}, True),
            ({"since": since, "limit": 26}, True),
        ):
            payload = join_payload(private=private, broadcast={"replay": params})
            await send(socket, f"realtime:{topic}", "phx_join", payload, ref="9")
            while (message := await receive(socket))["event"] != "phx_reply":
                assert message["event"] == "broadcast"
            assert message["payload"]["status"] == "error"
            assert message["payload"]["response"]["reason"].startswith("UnableToReplayMessages: ")


async def test_messages_sent_over_http_arrive_where_the_sender_may_write(
    local: LocalSupabase, tokens: Tokens, topic: str
) -> None:
    url = f"{local.status.api_url}/realtime/v1/api/broadcast"
    key = local.status.anon_key.get_secret_value()
    async with (
        client_of(local, tokens.of(U1)) as client,
        httpx.AsyncClient(headers={"apikey": key}, timeout=deadline(10)) as http,
    ):
        heard: Heard = []
        await subscribe(client.channel(topic, PRIVATE).on_broadcast("*", hear(heard)))
        message = {"topic": topic, "event": "e", "payload": {"n": 1}, "private": True}
        assert (await http.post(url, json={"messages": [message | {"payload": {"n": 0}}]})).status_code == 202
        bearer = {"authorization": f"Bearer {tokens.of(U1)}"}
        assert (await http.post(url, json={"messages": [message]}, headers=bearer)).status_code == 202
        await until(lambda: len(heard) == 1)
        assert heard[0]["payload"] == {"n": 1}, "the anonymous message was left out"
        assert (await http.post(url, json={"messages": []})).status_code == 422
        assert (await http.post(url, json={"messages": [{"topic": topic}]})).json() == {
            "errors": {"messages": [{"event": ["can't be blank"], "payload": ["can't be blank"]}]}
        }
        assert (await http.post(url, json={"messages": [message]}, headers={"apikey": ""})).status_code == 401


async def test_the_official_client_receives_table_changes_of_its_own_rows(
    local: LocalSupabase, tokens: Tokens, owner: Owner
) -> None:
    async with client_of(local, tokens.of(U1)) as client:
        changes: Heard = []
        channel = client.channel("mine").on_postgres_changes(
            RealtimePostgresChangesListenEvent.All, hear(changes), table="todos", schema="public"
        )
        ready = asyncio.Event()
        channel.on_system(lambda payload: ready.set())
        await subscribe(channel)
        async with asyncio.timeout(deadline(10)):
            await ready.wait()
        await owner.execute("insert into public.todos (user_id, title) values (%s, 'mine'), (%s, 'foreign')", (U1, U2))
        await until(lambda: len(changes) == 1)
        await owner.execute("update public.todos set done = true where title = 'mine'")
        await until(lambda: len(changes) == 2)
        await owner.execute("delete from public.todos")
        await until(lambda: len(changes) == 4)
    assert [change["data"]["type"] for change in changes] == ["INSERT", "UPDATE", "DELETE", "DELETE"]
    assert changes[0]["data"]["record"]["title"] == "mine"


async def test_a_binary_broadcast_of_version_2_reaches_clients_of_both_versions(
    local: LocalSupabase, tokens: Tokens
) -> None:
    url, token = local.status.api_url, tokens.of()
    async with (
        raw_socket(url, token, "2.0.0") as sender,
        raw_socket(url, token, "2.0.0") as new,
        raw_socket(url, token) as old,
    ):
        for socket in (sender, new):
            await socket.send(json.dumps(["1", "1", "realtime:bin", "phx_join", join_payload()]))
            await receive(socket)
        await send(old, "realtime:bin", "phx_join", join_payload())
        await receive(old)
        parts = [b"1", b"2", b"realtime:bin", b"shout", b""]
        head = bytes([3, *map(len, parts)])
        await sender.send(head + b"\x01" + b"".join(parts) + b'{"n":1}')
        assert await new.recv() == bytes([4, 12, 5, 0, 1]) + b"realtime:binshout" + b'{"n":1}'
        assert (await receive(old))["payload"] == {"event": "shout", "payload": {"n": 1}, "type": "broadcast"}
        await sender.send(head + b"\x00" + b"".join(parts) + b"\xff\x00")
        assert await new.recv() == bytes([4, 12, 5, 0, 0]) + b"realtime:binshout" + b"\xff\x00"


async def test_a_client_that_does_not_read_is_cut_and_disturbs_nobody(
    local: LocalSupabase, tokens: Tokens, owner: Owner, topic: str
) -> None:
    payload = json.dumps({"text": "x" * 200_000})
    async with (
        raw_socket(local.status.api_url, tokens.of(U1)) as stuck,
        raw_socket(local.status.api_url, tokens.of(U1)) as well,
    ):
        for socket in (stuck, well):
            await send(socket, f"realtime:{topic}", "phx_join", join_payload(private=True))
            await receive(socket)
        stuck.transport.pause_reading()
        for _ in range(100):
            await owner.execute("select realtime.send(%s, 'big', %s)", (payload, topic))
            assert (await receive(well))["payload"]["event"] == "big"
        stuck.transport.resume_reading()

        async def read_to_the_end() -> None:
            while True:
                await stuck.recv()

        with pytest.raises(ConnectionClosed):
            async with asyncio.timeout(deadline(20)):
                await read_to_the_end()
