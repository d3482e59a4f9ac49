"""Every fault between the app and its data, over real sockets: afterwards every subscription equals the database again.

Those of tokens and keys are in test_tokens.py.
"""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import psutil
import pytest

from services.entities import NOTIFICATIONS, STREAMS
from services.feed_kind import ClientKind, FeedKind
from tests.proxies import FrameProxy, TcpProxy
from tests.services.realtime.watch import (
    CONNECTED,
    CONNECTING,
    DISCONNECTED,
    ERROR,
    NOTICES,
    Watch,
    nothing_left,
    path,
    watching,
)
from tests.speed import SLOWDOWN
from tests.world import World, until

pytestmark = pytest.mark.integration
BUSY = 2.0
"""Slowdown of the machine beyond which a test of 20,000 rows at once says nothing about the product's patience."""
WAYS = {
    "broadcast": (FeedKind.BROADCAST, ClientKind.QUICK),
    "official client": (FeedKind.BROADCAST, ClientKind.OFFICIAL),
    "postgres_changes": (FeedKind.POSTGRES_CHANGES, ClientKind.QUICK),
}
on_each_transport = pytest.mark.parametrize("watch", WAYS.values(), ids=WAYS, indirect=True)


@pytest.fixture
async def frames(world: World) -> AsyncIterator[FrameProxy]:
    async with FrameProxy.to(world.status.api_url) as proxy:
        yield proxy


@pytest.fixture
async def framed(world: World, frames: FrameProxy) -> AsyncIterator[Watch]:
    """Over the WebSocket proxy, by broadcast; afterwards no task and no socket is left."""
    before = set(asyncio.all_tasks())
    watch = await watching(world, frames.url)
    yield watch
    await watch.service.aclose()
    await nothing_left(before, lambda: frames.connections)


@on_each_transport
async def test_a_reset_socket(watch: Watch, proxy: TcpProxy) -> None:
    proxy.reset()
    await watch.changes()
    await watch.converges()
    watch.went(DISCONNECTED, CONNECTED)


async def test_a_server_that_is_away_for_2_20_and_60_seconds(world: World) -> None:
    before = set(asyncio.all_tasks())
    sockets: list[int] = []

    async def away(seconds: float, kind: FeedKind) -> None:
        async with TcpProxy(world.status.api_url) as proxy:
            watch = await watching(world, proxy.url, kind)
            try:
                await proxy.cut()
                await watch.changes()
                await watch.notices()
                await asyncio.sleep(seconds)
                status = watch.subscription.status
                assert status.status is DISCONNECTED
                assert status.cause
                assert status.attempt >= 1
                await proxy.restore()
                await watch.converges()
                watch.went(DISCONNECTED, CONNECTED)
            finally:
                await watch.service.aclose()
            await until(lambda: proxy.connections == 0, within=10, what="no socket is left")
            sockets.append(proxy.connections)

    async with asyncio.TaskGroup() as group:
        for seconds in (2, 20, 60):
            for kind in FeedKind:
                group.create_task(away(seconds, kind))
    await nothing_left(before, lambda: sum(sockets))


async def test_a_server_process_that_is_killed(watch: Watch) -> None:
    killed = watch.world.local.pid
    assert killed
    os.kill(killed, signal.SIGKILL)
    await watch.notices()
    await until(lambda: _answers(watch), within=30, what="it is started again and answers")
    await watch.converges()
    assert watch.world.local.pid != killed
    watch.went(DISCONNECTED, CONNECTED)


async def test_a_half_open_socket_is_noticed_by_the_probe(watch: Watch, proxy: TcpProxy) -> None:
    proxy.freeze()
    await watch.changes()
    await watch.notices()
    assert "probe" in watch.subscription.status.cause
    await proxy.cut()
    await proxy.restore()
    await watch.converges()
    watch.went(DISCONNECTED, CONNECTED)


async def test_two_seconds_of_latency_each_way(watch: Watch, proxy: TcpProxy) -> None:
    proxy.delay = 2.0
    await watch.changes()
    await until(watch.equal, within=15, what="late, but complete")
    proxy.delay = 0.0
    await watch.converges()


async def test_a_line_of_64_kbit_a_second(watch: Watch, proxy: TcpProxy) -> None:
    proxy.rate = 8000.0
    await watch.changes()
    await until(watch.equal, within=30, what="slow, but complete")
    proxy.rate = 0.0
    await watch.converges()
    assert ERROR not in watch.statuses


@on_each_transport
async def test_a_thousand_changes_during_an_outage(watch: Watch, proxy: TcpProxy) -> None:
    await proxy.cut()
    await watch.notices()
    assert await watch.changes(400) > 1000
    await proxy.restore()
    await watch.converges()
    watch.went(DISCONNECTED, CONNECTED)


async def test_an_event_loop_that_was_blocked_for_three_seconds(watch: Watch) -> None:
    await watch.changes()
    time.sleep(3)  # noqa: ASYNC251  # that is the fault
    await watch.changes()
    await watch.converges()
    watch.went()


@pytest.fixture
def quick_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database must not be back before a probe has missed it."""
    monkeypatch.setattr("services.realtime.supervision.probe.PROBE_INTERVAL_SECONDS", 0.05)


@pytest.mark.usefixtures("quick_probes")
async def test_postgresql_that_restarts(watch: Watch) -> None:
    postmaster = int((watch.world.data / "postgres" / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGINT)
    await until(lambda: not psutil.pid_exists(postmaster), within=10, what="it is down")
    await until(lambda: _answers(watch), within=10, what="the database answers again")
    await watch.changes()
    await watch.converges()
    # PostgreSQL may be back before a probe misses it, and fall away once more while Realtime finds it again.
    watch.went_between(DISCONNECTED, CONNECTED)


async def _answers(watch: Watch) -> bool:
    try:
        await watch.changes(2)
    except Exception:
        return False
    return True


async def test_joins_that_the_server_refuses(framed: Watch, frames: FrameProxy) -> None:
    def refuse(frame: str) -> list[str]:
        message = json.loads(frame)
        if message["event"] == "phx_reply" and "postgres_changes" in message["payload"].get("response", {}):
            message["payload"] = {"status": "error", "response": {"reason": "Unauthorized: not today"}}
        return [json.dumps(message)]

    frames.rewrite = refuse
    await frames.close(1001)
    await until(lambda: framed.subscription.status.status is ERROR, within=NOTICES)
    assert "not today" in framed.subscription.status.cause
    await framed.changes()
    frames.rewrite = lambda frame: [frame]
    await framed.converges()
    framed.went(DISCONNECTED, ERROR, CONNECTED)


async def test_a_channel_that_the_server_closes(framed: Watch, frames: FrameProxy) -> None:
    topic = f"realtime:org:{framed.org}"
    await frames.inject(json.dumps({"ref": None, "event": "phx_close", "payload": {}, "topic": topic}))
    await until(lambda: DISCONNECTED in framed.statuses, within=NOTICES)
    await framed.changes()
    await framed.converges()
    framed.went(DISCONNECTED, CONNECTED)


async def test_malformed_events_are_passed_over(framed: Watch, frames: FrameProxy) -> None:
    topic = f"realtime:org:{framed.org}"
    for payload in (
        {},
        {"event": "UPDATE", "payload": None, "type": "broadcast"},
        {"event": "UPDATE", "payload": {"operation": "UPDATE"}, "type": "broadcast"},
        {"event": "INSERT", "payload": {"operation": "INSERT", "table": "streams", "record": []}, "type": "broadcast"},
        {"event": "probe", "payload": {"nonce": "x"}, "type": "broadcast"},
    ):
        await frames.inject(json.dumps({"ref": None, "event": "broadcast", "payload": payload, "topic": topic}))
    await framed.changes()
    await framed.converges()
    framed.went()


async def test_frames_that_are_no_messages_are_passed_over(framed: Watch, frames: FrameProxy) -> None:
    for text in ("not json", "[]", '{"topic": 1}', "\x00"):
        await frames.inject(text)
    await framed.changes()
    await framed.converges()
    framed.went()


async def test_events_that_come_twice_and_again(framed: Watch, frames: FrameProxy) -> None:
    history: list[str] = []

    def replay(frame: str) -> list[str]:
        if json.loads(frame)["event"] != "broadcast":
            return [frame]
        history.append(frame)
        return [frame, history[len(history) // 2], frame, history[0]]

    frames.rewrite = replay
    for _ in range(3):
        await framed.changes()
    await framed.converges()
    framed.went()


async def test_events_that_come_in_the_opposite_order(framed: Watch, frames: FrameProxy) -> None:
    held: list[str] = []

    def hold(frame: str) -> list[str]:
        message = json.loads(frame)
        if message["payload"].get("payload", {}).get("table") != "streams":
            return [frame]
        held.append(frame)
        return []

    frames.rewrite = hold
    committed = sum([await framed.changes() for _ in range(3)])
    await until(lambda: len(held) == committed)
    frames.rewrite = lambda frame: [frame]
    for frame in reversed(held):
        await frames.inject(frame)
    await framed.converges()
    framed.went()


@on_each_transport
async def test_rows_that_fail_validation_are_left_out_until_they_are_mended(watch: Watch) -> None:
    sql = watch.world.sql
    await sql("alter table streams drop constraint streams_name_check")
    try:
        bad = await sql("update streams set name = '' where org_id = %s returning id", watch.org)
        await watch.changes()
        topic, ids = STREAMS.topic(watch.org), {str(id) for (id,) in bad}
        await until(lambda: {each.id for each in watch.service.quarantined(topic)} == ids, what="they are quarantined")
        await until(lambda: watch.subscription.rows() and all(row.name for row in watch.subscription.rows()))
        assert watch.subscription.status.status is CONNECTED
        await sql("update streams set name = 'mended' where name = ''")
        await watch.converges()
        watch.went()
    finally:
        await sql("delete from streams where name = ''")
        await sql(
            "alter table streams add constraint streams_name_check check (char_length(btrim(name)) between 1 and 200)"
        )


@on_each_transport
async def test_a_callback_that_raises_costs_nobody_a_change(watch: Watch, proxy: TcpProxy) -> None:
    calls = 0

    def broken(_: object) -> None:
        nonlocal calls
        calls += 1
        raise RuntimeError("a broken callback")

    service = watch.service
    subscription = service.subscribe(STREAMS, watch.org, session=watch.member, on_change=broken, on_status=broken)
    await until(lambda: subscription.is_loaded)
    proxy.reset()
    await watch.changes()
    await watch.converges()
    assert calls > 2
    assert {row.id for row in subscription.rows()} == {row.id for row in watch.subscription.rows()}
    watch.went(DISCONNECTED, CONNECTED)


@on_each_transport
async def test_a_membership_that_is_removed_in_mid_stream_and_given_back(watch: Watch) -> None:
    stays = await watch.world.person(watch.org)
    subscription = watch.service.subscribe(STREAMS, watch.org, session=stays)
    await until(lambda: subscription.is_loaded)
    writing = asyncio.create_task(_write_until_closed(watch))
    await watch.world.sql("delete from org_members where org_id = %s and user_id = %s", watch.org, watch.member.id)
    await until(lambda: watch.subscription.is_closed, within=5)
    await writing
    watch.went(ERROR)
    assert watch.member.email in watch.subscription.status.cause
    assert watch.subscription.rows() == []
    watch.subscription, goes = subscription, watch.subscription
    await watch.changes()
    await watch.converges()
    assert goes.rows() == []
    await watch.world.sql(
        "insert into org_members (org_id, user_id, role) values (%s, %s, 'operator')", watch.org, watch.member.id
    )
    watch.subscription = watch.service.subscribe(STREAMS, watch.org, session=watch.member)
    await watch.changes()
    await watch.converges()


@on_each_transport
async def test_a_changed_profile_is_announced_to_its_user_only(watch: Watch) -> None:
    other = await watch.world.person(watch.org)
    told: list[UUID] = []
    watch.service.on_profile = told.append
    subscriptions = [
        watch.service.subscribe(NOTIFICATIONS, person.id, session=person) for person in (watch.member, other)
    ]
    await until(lambda: all(each.is_loaded for each in subscriptions), what="the first snapshots")
    for theme in ("dark", "light"):
        await watch.world.sql(
            "update profiles set preferences = jsonb_build_object('theme', %s::text) where user_id = %s",
            theme,
            watch.member.id,
        )
    await until(lambda: len(told) == 2)
    assert set(told) == {watch.member.id}


async def _write_until_closed(watch: Watch) -> None:
    while not watch.subscription.is_closed:
        await watch.changes(4)


async def test_a_message_of_more_than_a_megabyte_is_survived(framed: Watch, frames: FrameProxy) -> None:
    topic = f"realtime:org:{framed.org}"
    payload = {"event": "UPDATE", "type": "broadcast", "payload": {"blob": "x" * (1200 * 1024)}}
    await frames.inject(json.dumps({"ref": None, "event": "broadcast", "payload": payload, "topic": topic}))
    await framed.changes()
    await framed.converges()
    framed.went(DISCONNECTED, CONNECTED)


async def test_what_the_server_lost_silently_is_found_by_the_reconcile(
    framed: Watch, frames: FrameProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.realtime.supervision.supervisor.RECONCILE_INTERVAL_SECONDS", 0.5)
    monkeypatch.setattr("services.realtime.supervision.supervisor.MAINTENANCE_INTERVAL_SECONDS", 0.2)
    await frames.close(1001)
    await until(lambda: framed.service.feeds()[0].meter.connections == 2, within=10)
    frames.rewrite = lambda frame: [] if '"streams"' in frame else [frame]
    await framed.changes()
    await until(framed.equal, within=10, what="the reconcile finds it")
    assert framed.service.feeds()[0].meter.repaired_rows > 0
    framed.went(DISCONNECTED, CONNECTED)


LARGE = {
    "repeated": "repeat('x', 3000000)",
    "random": "(select string_agg(md5(n::text), '') from generate_series(1, 60000) as n)",
}


@on_each_transport
@pytest.mark.parametrize("content", LARGE.values(), ids=LARGE)
async def test_a_row_of_megabytes_arrives_and_nobody_is_disconnected(watch: Watch, content: str) -> None:
    """The event has its key alone; the feed reads the row. 256 KB are a hosted project's limit, 1 MB the client's."""
    sql = watch.world.sql
    await sql("alter table streams drop constraint if exists streams_description_check")
    ((id,),) = await sql(
        f"insert into streams (org_id, name, description) values (%s, 'large', {content}) returning id", watch.org
    )
    await watch.converges()
    await sql("update streams set completed = 1, total = 10 where id = %s", id)
    await watch.converges()
    (row,) = [row for row in watch.subscription.rows() if row.id == id]
    assert (len(row.description) > 1_500_000, row.completed) == (True, 1)
    await sql("update streams set description = 'small again' where id = %s", id)
    await watch.converges()
    await sql(f"update streams set description = {content} where id = %s", id)
    await sql("delete from streams where id = %s", id)
    await watch.converges()
    watch.went()


@on_each_transport
async def test_thousands_of_rows_in_one_statement_do_not_disconnect(
    watch: Watch, request: pytest.FixtureRequest
) -> None:
    count = 20_000 if "broadcast" in request.node.name else 5_000
    await watch.world.sql(
        "insert into streams (org_id, name) select %s, 'bulk ' || n from generate_series(1, %s) as n", watch.org, count
    )
    newest = "select id, version from streams where org_id = %s order by updated_at desc limit %s"

    async def has_arrived() -> bool:
        rows = dict(await watch.world.sql(newest, watch.org, 1000))
        return {row.id for row in watch.subscription.rows()} >= rows.keys()

    await until(has_arrived, within=60, what="the rows have arrived")
    await until(lambda: watch.subscription.status.status is CONNECTED, within=20)
    if SLOWDOWN > BUSY or "postgres_changes" in request.node.name:
        # The official client's keepalive, or the server, gives up a reader that is half a minute behind. A publication
        # is decoded for seconds in which nothing arrives, beside other tests for longer than a probe may take.
        assert watch.service.feeds()[0].meter.reconnects <= 1
        return
    # A slow machine may be behind for seconds, and then says so once; the channel stays.
    assert path([CONNECTED, *watch.statuses]) in ([CONNECTED], [CONNECTED, CONNECTING, CONNECTED])
    assert watch.service.feeds()[0].meter.reconnects == 0


async def test_no_free_connection_is_said_and_over_soon_after_one_is_free(watch: Watch) -> None:
    """As with a full `max_connections`: Realtime is there all the while."""
    sql = watch.world.sql
    await sql("alter role livewatch_app connection limit 0")
    try:
        await sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'livewatch_app'")
        await watch.notices()
        await until(lambda: _waits(watch, seconds=6), within=90, what="the backoff is long")
        assert "max_connections" in watch.subscription.status.cause
        await watch.changes()
    finally:
        await sql("alter role livewatch_app connection limit -1")
    await watch.converges()


def _waits(watch: Watch, *, seconds: float) -> bool:
    """Whether the next attempt is more than some seconds away."""
    retry_at = watch.subscription.status.retry_at
    return retry_at is not None and (retry_at - datetime.now(UTC)).total_seconds() > seconds
