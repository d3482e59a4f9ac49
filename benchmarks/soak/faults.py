"""Faults of a soak: each lasts until its function returns."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import httpx
import psycopg

from local_supabase.postgres.postmaster import read_pid
from tests.proxies import TcpProxy
from tests.world import World

SLOW_LINE = 4000.0
"""Bytes per second: 32 kbit/s."""
LATENCY_SECONDS = 3.0
ANSWER_TIMEOUT_SECONDS = 60.0


@dataclass(eq=False, slots=True, kw_only=True)
class Scene:
    """What a fault can break; `pace` multiplies the durations of faults.

    Args:
        world: The local Supabase and its owner's connections.
        app_pid: Process of the app.
        paths: Proxy of each path: "browser" to the app, "Realtime" (with Auth) and "PostgreSQL" to the local Supabase.
        token_seconds: Lifetime of access tokens.
        pace: Factor of the durations.
    """

    world: World
    app_pid: int
    paths: Mapping[str, TcpProxy]
    token_seconds: float
    pace: float = 1.0

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self.pace)


Fault = Callable[[Scene], Awaitable[None]]


async def reset(path: str, scene: Scene) -> None:
    scene.paths[path].reset()


async def refuse(path: str, scene: Scene, *, seconds: float = 5) -> None:
    await scene.paths[path].cut()
    await scene.wait(seconds)
    await scene.paths[path].restore()


async def half_open(path: str, scene: Scene, *, seconds: float = 15) -> None:
    """The network drops packets; afterwards it delivers what was sent meanwhile."""
    scene.paths[path].freeze()
    await scene.wait(seconds)
    scene.paths[path].thaw()


async def half_open_and_gone(path: str, scene: Scene) -> None:
    """The other side has forgotten the connections when the network is back."""
    scene.paths[path].freeze()
    await scene.wait(15)
    scene.paths[path].reset()
    scene.paths[path].thaw()


async def latency(path: str, scene: Scene) -> None:
    scene.paths[path].delay = LATENCY_SECONDS
    await scene.wait(15)
    scene.paths[path].delay = 0.0


async def slow_line(path: str, scene: Scene) -> None:
    scene.paths[path].rate = SLOW_LINE
    await scene.wait(15)
    scene.paths[path].rate = 0.0


async def outlive_tokens(scene: Scene) -> None:
    """Realtime and Auth are away for longer than a token lives."""
    await refuse("Realtime", scene, seconds=scene.token_seconds * 1.1)


async def kill_postmaster(scene: Scene) -> None:
    pid = read_pid(scene.world.data / "postgres")
    assert pid
    os.kill(pid, signal.SIGKILL)
    await _answers(scene)


async def kill_local_supabase(scene: Scene) -> None:
    pid = scene.world.local.pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    await _answers(scene)


async def stop_local_supabase(scene: Scene) -> None:
    pid = scene.world.local.pid
    assert pid
    await _stopped(pid, scene)


async def stop_app(scene: Scene) -> None:
    await _stopped(scene.app_pid, scene)


async def lock_table(scene: Scene) -> None:
    """Another session holds the strongest lock on the streams, and rolls back."""
    async with await _owner(scene) as connection, connection.transaction(force_rollback=True):
        await connection.execute("lock table streams in access exclusive mode")
        await scene.wait(20)


async def open_transaction(scene: Scene) -> None:
    """Another session has changed every stream, and does not commit."""
    async with await _owner(scene) as connection, connection.transaction():
        await connection.execute("update streams set name = name")
        await scene.wait(20)


async def no_free_connection(scene: Scene) -> None:
    """As with a full `max_connections`: PostgreSQL refuses every new connection of the app."""
    async with await _owner(scene) as connection:
        await connection.execute("alter role livewatch_app connection limit 0")
        try:
            await end_sessions(scene)
            await scene.wait(15)
        finally:
            await connection.execute("alter role livewatch_app connection limit -1")


async def large_row(scene: Scene) -> None:
    """A stream becomes too large for any event, changes, and becomes small again."""
    limit, large = (
        "streams_description_check",
        "(select string_agg(md5(n::text), '') from generate_series(1, 60000) as n)",
    )
    async with await _owner(scene) as connection:
        cursor = await connection.execute(
            "select pg_get_constraintdef(oid) from pg_constraint where conname = %s", (limit,)
        )
        ((definition,),) = await cursor.fetchall()
        await connection.execute(f"alter table streams drop constraint {limit}".encode())
        for description in (large, large, "''"):
            change = f"description = {description} where id = (select min(id::text)::uuid from streams)"
            await connection.execute(f"update streams set {change}".encode())
            await scene.wait(2)
        await connection.execute(f"alter table streams add constraint {limit} {definition}".encode())


async def add_column(scene: Scene) -> None:
    async with await _owner(scene) as connection:
        await connection.execute("alter table streams add column soak integer")
        await scene.wait(2)
        await connection.execute("alter table streams drop column soak")


async def truncate(scene: Scene) -> None:
    async with await _owner(scene) as connection:
        await connection.execute("truncate activities")


async def end_sessions(scene: Scene) -> None:
    """An administrator of the database ends the app's connections."""
    async with await _owner(scene) as connection:
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'livewatch_app'"
        )


async def _owner(scene: Scene) -> psycopg.AsyncConnection:
    url = scene.world.status.database_url.get_secret_value()
    return await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=5)


async def _stopped(pid: int, scene: Scene) -> None:
    os.kill(pid, signal.SIGSTOP)
    try:
        await scene.wait(20)
    finally:
        os.kill(pid, signal.SIGCONT)


async def _answers(scene: Scene) -> None:
    """Wait until Auth and PostgreSQL answer; raises TimeoutError."""
    async with asyncio.timeout(ANSWER_TIMEOUT_SECONDS), httpx.AsyncClient(timeout=2) as http:
        while True:
            with contextlib.suppress(httpx.HTTPError, psycopg.Error):
                answer = await http.get(f"{scene.world.status.api_url}/auth/v1/health")
                async with await _owner(scene) as connection:
                    await connection.execute("select 1")
                if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                    return
            await asyncio.sleep(0.05)


PATHS = ("browser", "Realtime", "PostgreSQL")
ON_A_PATH: Mapping[str, Callable[[str, Scene], Awaitable[None]]] = MappingProxyType(
    {
        "reset": reset,
        "refused 5 s": refuse,
        "half-open 15 s": half_open,
        "half-open 15 s, then reset": half_open_and_gone,
        "latency 3 s each way": latency,
        "32 kbit/s": slow_line,
    }
)
FAULTS: Mapping[str, Fault] = MappingProxyType(
    {f"{name}: {path}": partial(fault, path) for name, fault in ON_A_PATH.items() for path in PATHS}
    | {
        "tokens expire, Auth away": outlive_tokens,
        "postmaster kill -9": kill_postmaster,
        "local Supabase kill -9": kill_local_supabase,
        "local Supabase stopped 20 s": stop_local_supabase,
        "app stopped 20 s": stop_app,
        "half-open 60 s: Realtime": partial(half_open, "Realtime", seconds=60),
        "no free connection 15 s": no_free_connection,
        "LOCK TABLE 20 s": lock_table,
        "open transaction 20 s": open_transaction,
        "a row of 2 MB": large_row,
        "ADD COLUMN, DROP COLUMN": add_column,
        "TRUNCATE of a side table": truncate,
        "database sessions terminated": end_sessions,
    }
)
