"""Server cost of many windows, of the app and of NiceGUI's bindings with the same streams."""

from contextlib import AsyncExitStack
from pathlib import Path
from uuid import UUID

import httpx

from benchmarks.browsers import notifying
from benchmarks.fan_out import HEAD, Crowd
from benchmarks.stage import baseline, enter
from local_supabase.status import LocalSupabaseStatus
from tests.app_process import project_settings, running

SIZES = (1, 10, 50, 200)
RATES = (1, 10, 100, 1000)
RATE = 100
SIZE = 50
BINDING_SIZES = (10, 50)


async def crowds(status: LocalSupabaseStatus, streams: list[UUID], seconds: float, folder: Path) -> None:
    """Print the cost by the number of windows and by the rate."""
    url = status.database_url.get_secret_value()
    async with running(project_settings(status, folder / "crowd")) as app, AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=app.url, timeout=60))
        await enter(http, status)
        crowd = Crowd(http, "/monitoring", app.pid)
        stack.push_async_callback(crowd.close)
        print(f"Livewatch: server CPU per change and window\n{HEAD}")
        for size in SIZES:
            await crowd.grow(size)
            print((await crowd.measure(url, streams, rate=RATE, seconds=seconds)).row(), flush=True)
            if size == SIZE:
                for rate in RATES:
                    if rate != RATE:
                        print((await crowd.measure(url, streams, rate=rate, seconds=seconds)).row(), flush=True)
        print()
    async with notifying(status), baseline("binding", status) as (address, pid), AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=address, timeout=60))
        crowd = Crowd(http, "/", pid, waits=False)
        stack.push_async_callback(crowd.close)
        print(f"Plain NiceGUI, bindable_dataclass\n{HEAD}")
        for size in BINDING_SIZES:
            await crowd.grow(size)
            print((await crowd.measure(url, streams, rate=RATE, seconds=seconds)).row(), flush=True)
        print()
