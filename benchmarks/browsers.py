"""Latency from commit to DOM in Chromium windows, of the app and of alternative implementations."""

import asyncio
import importlib.util
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psutil
import psycopg
from playwright.async_api import Browser, Page, ViewportSize

from benchmarks.baselines.notify import INSTALL, REMOVE
from benchmarks.latency import COMPLETED, HEAD, WITH_STATUS, Load, measure
from benchmarks.stage import ORG, STREAMS, baseline, memory, sign_in
from local_supabase.status import LocalSupabaseStatus
from tests.app_process import project_settings, running

LOADS = ((1, 10), (1, 100), (8, 10), (8, 100))
"""Pairs of a number of windows and changes per second."""
NOTIFIED = {
    "sse": "The floor: NOTIFY → server-sent event → textContent",
    "binding": "Plain NiceGUI, bindable_dataclass",
}
VIEWPORT: ViewportSize = {"width": 1440, "height": 900}
SETTLE_SECONDS = 2.0
STREAMLIT = ("-m", "streamlit", "run", "benchmarks/baselines/streamlit.py", "--server.headless=true")
STREAMLIT_OPTIONS = ("--server.address=127.0.0.1", "--browser.gatherUsageStats=false", "--server.port")


@dataclass(frozen=True, slots=True, kw_only=True)
class Screens:
    """Browser and streams of the measurements; each load lasts `seconds`."""

    status: LocalSupabaseStatus
    browser: Browser
    streams: list[UUID]
    seconds: float


async def in_browsers(screens: Screens, folder: Path) -> None:
    """Measure the app, then the baselines with the same streams."""
    status = screens.status
    await product(screens, folder)
    async with notifying(status):
        for name, title in NOTIFIED.items():
            await other(screens, name, title)
    await other(screens, "timer", "Plain NiceGUI, ui.timer(1.0)")
    if importlib.util.find_spec("streamlit"):
        os.environ["BENCH_DATABASE_URL"], os.environ["BENCH_ORG"] = status.database_url.get_secret_value(), str(ORG)
        command = (*STREAMLIT, *STREAMLIT_OPTIONS)
        title = "Streamlit, st.fragment(run_every=1.0)"
        await other(screens, "streamlit", title, command=command)
    else:
        print("Streamlit is not installed: pip install streamlit adds that baseline\n")


async def product(screens: Screens, folder: Path) -> None:
    """Print the latency and the memory of the app."""
    async with running(project_settings(screens.status, folder / "app")) as app, AsyncExitStack() as stack:
        process = psutil.Process(app.pid)
        context = await screens.browser.new_context(base_url=app.url, viewport=VIEWPORT)
        stack.push_async_callback(context.close)
        page = await context.new_page()
        await page.goto("/sign-in")
        empty = memory(process)
        await sign_in(page, screens.status)
        await page.close()
        sizes = []

        async def open_window() -> Page:
            # A context each, as for the baselines: windows of one context share a renderer and its work.
            own = await screens.browser.new_context(
                base_url=app.url, viewport=VIEWPORT, storage_state=await context.storage_state()
            )
            stack.push_async_callback(own.close)
            page = await own.new_page()
            await page.goto("/monitoring")
            await page.wait_for_selector('body[data-live="connected"]')
            await page.wait_for_function(f"document.querySelectorAll('[data-field=completed]').length >= {STREAMS}")
            sizes.append(memory(process))
            return page

        await latencies(screens, "Livewatch", open_window, server=app.pid)
        await latencies(screens, "Livewatch, status changes too", open_window, server=app.pid, statement=WITH_STATUS)
        print("Memory of the app, MiB")
        print(f"  no window          {empty:.1f}")
        print(f"  first window       {sizes[0]:.1f}")
        print(f"  each further one   {(sizes[-1] - sizes[1]) / (len(sizes) - 2):.2f}   ({STREAMS} cards each)\n")


async def other(screens: Screens, name: str, title: str, *, command: tuple[str, ...] = ()) -> None:
    """Print the latency of the baselines."""
    async with baseline(name, screens.status, command) as (url, pid), AsyncExitStack() as stack:

        async def open_window() -> Page:
            # One context per window: a browser opens at most six connections per host, which event streams exhaust.
            context = await screens.browser.new_context(base_url=url, viewport=VIEWPORT)
            stack.push_async_callback(context.close)
            page = await context.new_page()
            await page.goto("/")
            await page.wait_for_function(f"document.querySelectorAll('[data-field=completed]').length >= {STREAMS}")
            return page

        await latencies(screens, title, open_window, server=pid)


@asynccontextmanager
async def notifying(status: LocalSupabaseStatus) -> AsyncIterator[None]:
    """Install the trigger that notifies of changes, until the context exits."""
    url = status.database_url.get_secret_value()
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(INSTALL)
        try:
            yield
        finally:
            await connection.execute(REMOVE)


async def latencies(
    screens: Screens,
    title: str,
    open_window: Callable[[], Awaitable[Page]],
    *,
    server: int,
    statement: str = COMPLETED,
) -> None:
    """Print a line per load; windows are opened when a load needs them."""
    print(f"{title}: commit → DOM over {STREAMS} streams, ms; each window in a browser context of its own")
    print(HEAD)
    pages: list[Page] = []
    for windows, rate in LOADS:
        while len(pages) < windows:
            pages.append(await open_window())
        load = Load(
            database_url=screens.status.database_url.get_secret_value(),
            streams=screens.streams,
            rate=rate,
            seconds=screens.seconds,
            statement=statement,
        )
        await asyncio.sleep(SETTLE_SECONDS)
        print((await measure(pages, load, server=server)).row(), flush=True)
    for page in pages:
        await page.context.close()
    print()
