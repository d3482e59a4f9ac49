"""Benchmarks of a feed, `python -m benchmarks.feed`: fault detection, recovery, throughput, cost per change, leaks."""

import asyncio
import gc
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psutil
import psycopg

from benchmarks.stage import own_world
from services.entities import STREAMS, ConnectionStatus
from services.realtime import DatabaseSource, RealtimeService, Subscription, SupabaseBroadcast
from services.realtime.feed import Feed
from services.realtime.transports.change import Change, Operation
from tests.proxies import TcpProxy
from tests.world import Person, World, until

STREAM_COUNT = 100


async def main() -> None:
    """Run the measurements and print each figure."""
    with tempfile.TemporaryDirectory(prefix="livewatch-bench-") as folder:
        async with own_world(Path(folder)) as world:
            org = await world.organization()
            person = await world.person(org)
            await world.sql(
                "insert into streams (org_id, name, total) select %s, 'Stream ' || n, 1000000 "
                "from generate_series(1, %s) as n",
                org,
                STREAM_COUNT,
            )
            await convergence(world, org, person)
            await noticing(world, org, person)
            await throughput(world, org, person)
            await cost_and_memory(world, org, person)
            await leaks(world, org, person)


def service_at(world: World, url: str) -> RealtimeService:
    transport = SupabaseBroadcast(url=url, key=world.status.anon_key)
    return RealtimeService(transport=transport, source=DatabaseSource(world.database), linger=0.05)


async def convergence(world: World, org: UUID, person: Person) -> None:
    """Print the seconds from the end of a fault until a subscription equals the database, which changed meanwhile."""
    print("Recovery after the end of a fault, s")
    async with TcpProxy(world.status.api_url) as proxy, service_at(world, proxy.url) as service:
        subscription = service.subscribe(STREAMS, org, session=person)
        await until(lambda: subscription.is_loaded)

        async def equal() -> bool:
            rows = await world.sql("select id, version from streams where org_id = %s", org)
            return {row.id: row.version for row in subscription.rows()} == dict(rows)

        async def measure(name: str, fault: Callable[[], Awaitable[None]], end: Callable[[], Awaitable[None]]) -> None:
            await fault()
            await world.sql("update streams set completed = completed + 1 where org_id = %s", org)
            await end()
            began = time.perf_counter()
            await until(equal, within=60)
            print(f"  {name:<34} {time.perf_counter() - began:.2f}")

        async def nothing() -> None:
            pass

        async def reset() -> None:
            proxy.reset()

        async def outage(seconds: float) -> None:
            await proxy.cut()
            await asyncio.sleep(seconds)

        async def frozen() -> None:
            proxy.freeze()
            await asyncio.sleep(8)
            await proxy.cut()

        await measure("socket reset", reset, nothing)
        for seconds in (2, 20):
            await measure(f"server away for {seconds} s", partial(outage, seconds), proxy.restore)
        await measure("half-open for 8 s", frozen, proxy.restore)
        await measure("server process restarted", world.local.restart, nothing)
    print()


async def noticing(world: World, org: UUID, person: Person) -> None:
    """Print the seconds from the start of a fault until a subscription's status reports it."""
    print("Detection of a fault, s")

    async def until_detected(name: str, fault: Callable[[TcpProxy], Awaitable[object]]) -> None:
        async with TcpProxy(world.status.api_url) as proxy, service_at(world, proxy.url) as service:
            subscription = service.subscribe(STREAMS, org, session=person)
            await until(lambda: subscription.status.status is ConnectionStatus.CONNECTED)
            await asyncio.sleep(1)  # the first probe is back
            began = time.perf_counter()
            await fault(proxy)
            await until(lambda: subscription.status.status is not ConnectionStatus.CONNECTED, within=60)
            print(f"  {name:<34} {time.perf_counter() - began:.2f}")

    async def freeze(proxy: TcpProxy) -> None:
        proxy.freeze()

    async def remove(_: TcpProxy) -> None:
        await world.sql("delete from org_members where org_id = %s and user_id = %s", org, person.id)

    await until_detected("server away", TcpProxy.cut)
    await until_detected("half-open", freeze)
    await until_detected("member removed", remove)
    await world.sql("insert into org_members (org_id, user_id, role) values (%s, %s, 'operator')", org, person.id)
    print()


async def throughput(world: World, org: UUID, person: Person) -> None:
    """Print the lag of the feed after the last of many commits, at increasing rates."""
    print(f"One feed, {STREAM_COUNT} streams: lag after the last of 5 s of commits")
    async with service_at(world, world.status.api_url) as service:
        subscription = service.subscribe(STREAMS, org, session=person)
        await until(lambda: subscription.is_loaded)
        ids = [row.id for row in subscription.rows()]
        url = world.status.database_url.get_secret_value()
        for rate in (100, 300, 600, 1000):
            async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
                began = time.perf_counter()
                count = last = 0
                while (elapsed := time.perf_counter() - began) < 5:
                    await asyncio.sleep(max(0.0, count / rate - elapsed))
                    cursor = await connection.execute(
                        "update streams set completed = completed + 1 where id = %s returning version",
                        (ids[count % len(ids)],),
                    )
                    row = await cursor.fetchone()
                    assert row
                    last, count = row[0], count + 1
                committed = time.perf_counter()
            await until(lambda: max(row.version for row in subscription.rows()) >= last, within=60)  # noqa: B023
            print(f"  {count / 5:>6.0f}/s   {(time.perf_counter() - committed) * 1000:.0f} ms")
    print()


async def cost_and_memory(world: World, org: UUID, person: Person) -> None:
    """Print the CPU time per change, from decoding to callbacks, and the memory of a subscription."""
    print("CPU per change, µs, and memory per subscription, KiB")
    process = psutil.Process()
    async with service_at(world, world.status.api_url) as service:
        subscriptions: list[Subscription[Any]] = []
        told = 0

        def count(_: Any) -> None:
            nonlocal told
            told += 1

        for number in (1, 10, 200, 1000):
            gc.collect()
            before, added = process.memory_info().rss, number - len(subscriptions)
            subscriptions += [service.subscribe(STREAMS, org, session=person, on_change=count) for _ in range(added)]
            await until(lambda: all(subscription.is_loaded for subscription in subscriptions), within=60)  # noqa: B023  # awaited at once
            size = (process.memory_info().rss - before) / added / 1024
            (feed,) = service.feeds()
            print(f"  {number:>5} subscriptions   {_cost(feed):>7.0f} µs   {size:>6.1f} KiB")
    print()


def _cost(feed: Feed) -> float:
    rows = feed.rows(STREAMS)
    assert rows is not None
    row = next(iter(rows))
    record = {name: value for name, value in row.model_dump(mode="json").items() if value is not None}
    version = max(each.version for each in rows) + 1
    changes = [
        Change(
            table="streams",
            operation=Operation.UPDATE,
            id=row.id,
            version=version + number,
            record={**record, "version": version + number},
        )
        for number in range(2000)
    ]
    began = time.process_time()
    for change in changes:
        feed.change(change)
    return (time.process_time() - began) / len(changes) * 1e6


async def leaks(world: World, org: UUID, person: Person) -> None:
    """Print tasks, sockets, feeds and memory before and after 2,000 subscriptions."""
    process = psutil.Process()
    async with service_at(world, world.status.api_url) as service:

        async def open_and_close(times: int) -> None:
            for _ in range(times // 20):
                subscriptions = [service.subscribe(STREAMS, org, session=person) for _ in range(20)]
                await until(lambda: all(subscription.is_loaded for subscription in subscriptions))  # noqa: B023
                for subscription in subscriptions:
                    subscription.close()
                if uuid4().int % 10 == 0:
                    await until(lambda: not service.feeds())

        def state() -> tuple[int, int, int, float]:
            gc.collect()
            sockets = len(process.net_connections())
            return len(asyncio.all_tasks()), sockets, len(service.feeds()), process.memory_info().rss / 2**20

        await open_and_close(200)
        await until(lambda: not service.feeds())
        before = state()
        await open_and_close(2000)
        await until(lambda: not service.feeds())
        await asyncio.sleep(1)
        after = state()
    print("2,000 subscriptions opened and closed: tasks, sockets, feeds, MiB")
    print(f"  before   {before[0]} {before[1]} {before[2]} {before[3]:.1f}")
    print(f"  after    {after[0]} {after[1]} {after[2]} {after[3]:.1f}")


if __name__ == "__main__":
    asyncio.run(main())
