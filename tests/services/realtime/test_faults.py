"""Every fault of servers and lines between the app and its data, over real sockets: afterwards all equals the database.

Those of tokens and keys are in test_tokens.py, those of events and rows in test_event_faults.py.
"""

import asyncio
import os
import signal
import time
from datetime import UTC, datetime
from uuid import UUID

import psutil
import pytest

from services.entities import NOTIFICATIONS, STREAMS
from services.feed_kind import FeedKind
from tests.proxies import TcpProxy
from tests.services.realtime.watch import (
    CONNECTED,
    DISCONNECTED,
    ERROR,
    Watch,
    nothing_left,
    on_each_transport,
    watching,
)
from tests.world import World, until

pytestmark = pytest.mark.integration


@on_each_transport
async def test_a_reset_socket(watch: Watch, proxy: TcpProxy) -> None:
    proxy.reset()
    await watch.changes()
    await watch.converges()
    watch.went(DISCONNECTED, CONNECTED)


@pytest.mark.lasting
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
