"""Heavy loads: a burst of changes, and minutes of a steady rate; afterwards the windows must equal the database."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psutil
import psycopg

from benchmarks.simulated_window import SimulatedWindow
from benchmarks.stage import ORG, enter
from local_supabase.status import LocalSupabaseStatus
from tests.app_process import project_settings, running

BURST = 5000
STREAMS = 2000
RATE = 100
WINDOWS = 5
SAMPLE_INTERVAL_SECONDS = 10.0
SETTLE_TIMEOUT_SECONDS = 60.0


class Shown:
    """Rows that a window shows, by element and id, according to its batches (see `components/window/batch.py`)."""

    def __init__(self) -> None:
        self._lists: dict[int, dict[str, dict[str, Any]]] = {}

    def apply(self, batches: list[Any], _status: str | None) -> None:
        for element, batch in batches:
            rows = self._lists.setdefault(element, {})
            if reset := batch.get("reset"):
                rows.clear()
                rows.update(reset["rows"])
            for id, fields in batch.get("set", {}).items():
                if id in rows or "order" in batch:
                    rows.setdefault(id, {}).update(fields)
            if "order" in batch:
                for gone in rows.keys() - set(batch["order"]):
                    del rows[gone]

    def completed(self) -> dict[str, int]:
        """Return the completed units that the window shows, by stream."""
        return {
            id: fields["completed"]
            for rows in self._lists.values()
            for id, fields in rows.items()
            if "completed" in fields
        }


async def resize_streams(status: LocalSupabaseStatus, wanted: int) -> list[UUID]:
    """Create or delete streams until there are `wanted`; returns their ids, oldest first."""
    async with await psycopg.AsyncConnection.connect(
        status.database_url.get_secret_value(), autocommit=True
    ) as connection:
        await connection.execute(
            "insert into streams (org_id, name, total, goal_status) "
            "select %s, 'Further stream ' || n, 1000000, 'on_track' "
            "from generate_series(1, %s::int - (select count(*)::int from streams where org_id = %s)) as n",
            (ORG, wanted, ORG),
        )
        await connection.execute(
            "delete from streams where id in "
            "(select id from streams where org_id = %s order by created_at, id offset %s)",
            (ORG, wanted),
        )
        cursor = await connection.execute("select id from streams where org_id = %s order by created_at, id", (ORG,))
        return [row[0] for row in await cursor.fetchall()]


async def loads(status: LocalSupabaseStatus, folder: Path, *, minutes: float) -> None:
    """Run a burst, then minutes of a steady rate, over thousands of streams."""
    streams = await resize_streams(status, STREAMS)
    async with running(project_settings(status, folder / "loads")) as app, AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=app.url, timeout=60))
        await enter(http, status)
        windows = []
        shown: list[Shown] = []
        for _ in range(WINDOWS):
            shown.append(Shown())
            window = SimulatedWindow(http, "/monitoring", on_apply=shown[-1].apply)
            await window.open()
            stack.push_async_callback(window.close)
            await window.until_live()
            windows.append(window)
        process = psutil.Process(app.pid)
        await burst(status, streams, windows, shown)
        await endure(status, streams, process, shown, minutes)


async def burst(
    status: LocalSupabaseStatus, streams: Sequence[UUID], windows: Sequence[SimulatedWindow], shown: Sequence[Shown]
) -> None:
    """Commit 5,000 changes as fast as one writer can, and wait until all windows equal the database."""
    frames = sum(window.frames for window in windows)
    began = time.perf_counter()
    await commit(status, streams, BURST, rate=None)
    committed = time.perf_counter()
    await settled(status, shown)
    print(
        f"Burst of {BURST:,} changes over {len(streams):,} streams: committed in {committed - began:.1f} s, "
        f"{len(windows)} windows equal to the database {time.perf_counter() - committed:.2f} s after, "
        f"{(sum(window.frames for window in windows) - frames) / len(windows):.0f} frames a window\n",
        flush=True,
    )


async def endure(
    status: LocalSupabaseStatus,
    streams: Sequence[UUID],
    process: psutil.Process,
    shown: Sequence[Shown],
    minutes: float,
) -> None:
    """Commit at a steady rate for minutes, and sample the app's memory and CPU every ten seconds."""
    writing = asyncio.create_task(commit(status, streams, int(RATE * minutes * 60), rate=RATE))
    samples = []
    process.cpu_percent()
    while not writing.done():
        await asyncio.wait({writing}, timeout=SAMPLE_INTERVAL_SECONDS)
        samples.append((process.memory_info().rss / 2**20, process.cpu_percent()))
    await writing
    await settled(status, shown)
    memory = [sample[0] for sample in samples]
    tenth = max(1, len(memory) // 10)
    print(f"{len(streams):,} streams, {RATE} changes/s for {minutes:g} min, {len(shown)} windows: equal in the end")
    print(
        f"  memory, MiB        {sum(memory[:tenth]) / tenth:.0f} at first, {max(memory):.0f} at most, "
        f"{sum(memory[-tenth:]) / tenth:.0f} at last"
    )
    print(f"  of a core          {sum(sample[1] for sample in samples) / len(samples):.0f} %\n", flush=True)


async def commit(status: LocalSupabaseStatus, streams: Sequence[UUID], changes: int, *, rate: int | None) -> None:
    """Commit one change per transaction, round-robin over the streams, at `rate` per second or at full speed."""
    async with await psycopg.AsyncConnection.connect(
        status.database_url.get_secret_value(), autocommit=True
    ) as connection:
        began = time.perf_counter()
        for index in range(changes):
            if rate is not None:
                await asyncio.sleep(max(0.0, began + index / rate - time.perf_counter()))
            await connection.execute(
                "update streams set completed = completed + 1 where id = %s", (streams[index % len(streams)],)
            )


async def settled(status: LocalSupabaseStatus, shown: Sequence[Shown]) -> None:
    """Wait until all windows equal the database; raises TimeoutError after `SETTLE_TIMEOUT_SECONDS`."""
    async with (
        await psycopg.AsyncConnection.connect(status.database_url.get_secret_value(), autocommit=True) as connection,
        asyncio.timeout(SETTLE_TIMEOUT_SECONDS),
    ):
        cursor = await connection.execute("select id::text, completed from streams where org_id = %s", (ORG,))
        expected: dict[str, int] = dict(await cursor.fetchall())
        while True:
            values = [window.completed() for window in shown]
            if all(rows and all(expected[id] == value for id, value in rows.items()) for rows in values):
                return
            await asyncio.sleep(0.02)
