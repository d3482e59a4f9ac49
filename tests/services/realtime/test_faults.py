"""Every fault between the app and its data, over real sockets: afterwards every lease equals the database again."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psutil
import pytest

from services.entities import STREAMS
from services.feed_kind import FeedKind
from services.models import ConnectionStatus, Stream
from services.realtime import TRANSPORTS, DatabaseSource, RealtimeService, Subscription
from tests.proxies import FrameProxy, TcpProxy
from tests.world import Person, World, until

pytestmark = pytest.mark.integration
on_each_transport = pytest.mark.parametrize("watch", list(FeedKind), indirect=True)
CONVERGES = 5.0
NOTICES = 10.0


@dataclass(kw_only=True)
class Watch:
    """One member's lease on an organisation's streams, and every status it went through."""

    world: World
    org: UUID
    member: Person
    service: RealtimeService
    lease: Subscription[Stream]
    statuses: list[ConnectionStatus] = field(default_factory=list)

    async def equal(self) -> bool:
        rows = await self.world.sql("select id, version from streams where org_id = %s", self.org)
        return {row.id: row.version for row in self.lease.rows()} == dict(rows)

    async def converges(self) -> None:
        await until(self.equal, within=CONVERGES, what="the lease equals the database")
        await until(
            lambda: self.lease.status.status is ConnectionStatus.CONNECTED, within=CONVERGES, what="it is connected"
        )

    async def notices(self) -> None:
        await until(
            lambda: self.lease.status.status is not ConnectionStatus.CONNECTED, within=NOTICES, what="it is noticed"
        )

    async def changes(self, count: int = 20) -> None:
        """Inserts, updates and deletes, behind the watch's back."""
        await self.world.sql(
            "insert into streams (org_id, name) select %s, 'new ' || n from generate_series(1, %s) as n",
            self.org,
            count,
        )
        await self.world.sql("update streams set completed = completed + 1 where org_id = %s", self.org)
        await self.world.sql(
            "delete from streams where id in (select id from streams where org_id = %s limit %s)", self.org, count // 2
        )


@pytest.fixture
async def proxy(world: World) -> AsyncIterator[TcpProxy]:
    async with TcpProxy(world.status.api_url) as proxy:
        yield proxy


@pytest.fixture
async def frames(world: World) -> AsyncIterator[FrameProxy]:
    async with FrameProxy.to(world.status.api_url) as proxy:
        yield proxy


async def watching(world: World, url: str, kind: FeedKind = FeedKind.BROADCAST) -> tuple[RealtimeService, Watch]:
    org = await world.organization()
    member = await world.person(org)
    service = RealtimeService(
        transport=TRANSPORTS[kind](url=url, key=world.status.anon_key), source=DatabaseSource(world.database)
    )
    statuses: list[ConnectionStatus] = []
    lease = service.subscribe(STREAMS, org, session=member, on_status=lambda each: statuses.append(each.status))
    watch = Watch(world=world, org=org, member=member, service=service, lease=lease, statuses=statuses)
    await watch.changes()
    await watch.converges()
    statuses.clear()
    return service, watch


@pytest.fixture
async def watch(world: World, proxy: TcpProxy, request: pytest.FixtureRequest) -> AsyncIterator[Watch]:
    """Over the TCP proxy, by broadcast unless the test asks for more; afterwards no task and no socket is left."""
    before = set(asyncio.all_tasks())
    service, watch = await watching(world, proxy.url, getattr(request, "param", FeedKind.BROADCAST))
    yield watch
    await service.aclose()
    await nothing_left(before)
    await until(lambda: proxy.connections == 0, within=10, what="no socket is left")


@pytest.fixture
async def framed(world: World, frames: FrameProxy) -> AsyncIterator[Watch]:
    service, watch = await watching(world, frames.url)
    yield watch
    await service.aclose()


async def nothing_left(before: set[asyncio.Task[Any]]) -> None:
    """No task of a feed or of the client outlives its service."""

    def left() -> list[str]:
        mine = asyncio.all_tasks() - before
        return [task.get_name() for task in mine if "realtime" in repr(task) or "feed" in task.get_name()]

    await until(lambda: not left(), within=15, what=f"no task is left, but {left()}")


@on_each_transport
async def test_a_reset_socket(watch: Watch, proxy: TcpProxy) -> None:
    proxy.reset()
    await watch.changes()
    await watch.converges()
    assert ConnectionStatus.DISCONNECTED in watch.statuses


async def test_a_server_that_is_away_for_2_20_and_60_seconds(world: World) -> None:
    async def away(seconds: float, kind: FeedKind) -> None:
        async with TcpProxy(world.status.api_url) as proxy:
            service, watch = await watching(world, proxy.url, kind)
            try:
                await proxy.cut()
                await watch.changes()
                await watch.notices()
                await asyncio.sleep(seconds)
                status = watch.lease.status
                assert status.status is ConnectionStatus.DISCONNECTED
                assert status.cause
                assert status.attempt >= 1
                await proxy.restore()
                await watch.converges()
                assert watch.statuses[-1] is ConnectionStatus.CONNECTED
            finally:
                await service.aclose()

    async with asyncio.TaskGroup() as group:
        for seconds in (2, 20, 60):
            for kind in FeedKind:
                group.create_task(away(seconds, kind))


async def test_a_half_open_socket_is_noticed_within_ten_seconds(watch: Watch, proxy: TcpProxy) -> None:
    proxy.freeze()
    frozen_at = time.monotonic()
    await watch.changes()
    await watch.notices()
    assert time.monotonic() - frozen_at < NOTICES
    await proxy.cut()
    await proxy.restore()
    await watch.converges()


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


@on_each_transport
async def test_a_thousand_changes_during_an_outage(watch: Watch, proxy: TcpProxy) -> None:
    await proxy.cut()
    await watch.notices()
    await watch.changes(400)
    await proxy.restore()
    await watch.converges()


async def test_an_event_loop_that_was_blocked_for_three_seconds(watch: Watch) -> None:
    time.sleep(3)  # noqa: ASYNC251  # that is the fault
    await watch.changes()
    await watch.converges()


async def test_postgresql_that_restarts(watch: Watch) -> None:
    postmaster = int((watch.world.data / "postgres" / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGINT)
    await until(lambda: not psutil.pid_exists(postmaster), within=10, what="it is down")
    await until(lambda: _answers(watch), within=10, what="the database answers again")
    await watch.changes()
    await until(watch.equal, within=15)
    await watch.converges()


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
    await until(lambda: framed.lease.status.status is ConnectionStatus.ERROR, within=NOTICES)
    assert "not today" in framed.lease.status.cause
    await framed.changes()
    frames.rewrite = lambda frame: [frame]
    await until(framed.equal, within=15, what="the backoff is over")
    await framed.converges()


async def test_a_channel_that_the_server_closes(framed: Watch, frames: FrameProxy) -> None:
    topic = f"realtime:org:{framed.org}"
    await frames.inject(json.dumps({"ref": None, "event": "phx_close", "payload": {}, "topic": topic}))
    await until(lambda: ConnectionStatus.DISCONNECTED in framed.statuses, within=NOTICES)
    await framed.changes()
    await framed.converges()


async def test_malformed_frames_are_passed_over(framed: Watch, frames: FrameProxy) -> None:
    topic = f"realtime:org:{framed.org}"
    for payload in (
        {},
        {"event": "UPDATE", "payload": None, "type": "broadcast"},
        {"event": "UPDATE", "payload": {"operation": "UPDATE"}, "type": "broadcast"},
        {"event": "INSERT", "payload": {"operation": "INSERT", "table": "streams", "record": []}, "type": "broadcast"},
        {"event": "canary", "payload": {"nonce": "x"}, "type": "broadcast"},
    ):
        await frames.inject(json.dumps({"ref": None, "event": "broadcast", "payload": payload, "topic": topic}))
    for text in ("not json", "[]", '{"topic": 1}', "\x00"):
        await frames.inject(text)
    await framed.changes()
    await framed.converges()


async def test_events_that_come_twice_out_of_order_and_again(framed: Watch, frames: FrameProxy) -> None:
    history: list[str] = []

    def jumble(frame: str) -> list[str]:
        if json.loads(frame)["event"] != "broadcast":
            return [frame]
        history.append(frame)
        return [frame, history[len(history) // 2], frame, history[0]]

    frames.rewrite = jumble
    for _ in range(3):
        await framed.changes()
    await framed.converges()


async def test_a_message_of_more_than_a_megabyte_is_survived(framed: Watch, frames: FrameProxy) -> None:
    topic = f"realtime:org:{framed.org}"
    payload = {"event": "UPDATE", "type": "broadcast", "payload": {"blob": "x" * (1200 * 1024)}}
    await frames.inject(json.dumps({"ref": None, "event": "broadcast", "payload": payload, "topic": topic}))
    await framed.changes()
    await until(framed.equal, within=15)
    await framed.converges()


async def test_what_the_server_lost_silently_is_found_by_the_reconcile(
    framed: Watch, frames: FrameProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.realtime.supervisor.RECONCILE_INTERVAL", 0.5)
    monkeypatch.setattr("services.realtime.supervisor.TEND_INTERVAL", 0.2)
    await frames.close(1001)
    await until(lambda: framed.service.feeds()[0].supervisor.connections == 2, within=10)
    frames.rewrite = lambda frame: [] if '"streams"' in frame else [frame]
    await framed.changes()
    await until(framed.equal, within=10, what="the reconcile finds it")
    assert framed.service.feeds()[0].supervisor.repaired > 0
