"""What a slow window costs fast ones: latencies of seven windows, without and beside one of 64 kbit/s and 400 ms."""

from contextlib import AsyncExitStack
from pathlib import Path
from uuid import UUID

import httpx

from benchmarks.fan_out import HEAD, Crowd
from benchmarks.simulated_window import SimulatedWindow
from benchmarks.stage import enter
from local_supabase.status import LocalSupabaseStatus
from tests.app_process import project_settings, running
from tests.proxies import TcpProxy

FAST_WINDOWS = 7
RATE = 100
REPEATS = 3
SLOW_LINE = 8000.0
"""Bytes per second, each way."""
DELAY_SECONDS = 0.2
"""Each way."""


async def slow_window(status: LocalSupabaseStatus, streams: list[UUID], seconds: float, folder: Path) -> None:
    """Print the figures of the fast windows, in turns without and beside the slow one."""
    url = status.database_url.get_secret_value()
    async with (
        running(project_settings(status, folder / "slow")) as app,
        TcpProxy(app.url) as proxy,
        httpx.AsyncClient(base_url=app.url, timeout=60) as http,
        httpx.AsyncClient(base_url=proxy.url, timeout=60) as far,
        AsyncExitStack() as stack,
    ):
        await enter(http, status)
        await enter(far, status)
        crowd = Crowd(http, "/monitoring", app.pid)
        stack.push_async_callback(crowd.close)
        await crowd.grow(FAST_WINDOWS)
        print(f"{FAST_WINDOWS} windows, without and beside a window of 64 kbit/s and 400 ms\n{HEAD}")
        for _ in range(REPEATS):
            print((await crowd.measure(url, streams, rate=RATE, seconds=seconds)).row(), flush=True)
            async with SimulatedWindow(far, "/monitoring") as slow:
                await slow.until_live()
                proxy.rate, proxy.delay = SLOW_LINE, DELAY_SECONDS
                beside = await crowd.measure(url, streams, rate=RATE, seconds=seconds)
                print(f"{beside.row()}  beside it; its own frames: {slow.frames}", flush=True)
                proxy.rate = proxy.delay = 0.0
        print()
