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
from playwright.async_api import Browser, Page, StorageState, ViewportSize

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
        empty = memory(process)
        session = await session_of(screens.browser, app.url, screens.status)
        sizes: list[float] = []

        async def open_window() -> Page:
            page = await window_of(screens.browser, stack, app.url, "/monitoring", session)
            sizes.append(memory(process))
            return page

        await latencies(screens, "Livewatch", open_window, server=app.pid)
        opened = list(sizes)
        await latencies(screens, "Livewatch, status changes too", open_window, server=app.pid, statement=WITH_STATUS)
        print("Memory of the app, MiB")
        print(f"  no window          {empty:.1f}")
        print(f"  first window       {opened[0]:.1f}")
        print(f"  each further one   {(opened[-1] - opened[1]) / (len(opened) - 2):.2f}   ({STREAMS} cards each)\n")


async def other(screens: Screens, name: str, title: str, *, command: tuple[str, ...] = ()) -> None:
    """Print the latency of the baselines."""
    async with baseline(name, screens.status, command) as (url, pid), AsyncExitStack() as stack:
        await latencies(screens, title, lambda: window_of(screens.browser, stack, url, "/"), server=pid)


async def session_of(browser: Browser, url: str, status: LocalSupabaseStatus) -> StorageState:
    """Sign in, and return what a browser context needs to be signed in, too."""
    context = await browser.new_context(base_url=url, viewport=VIEWPORT)
    page = await context.new_page()
    await page.goto("/sign-in")
    await sign_in(page, status)
    session = await context.storage_state()
    await context.close()
    return session


async def window_of(
    browser: Browser, stack: AsyncExitStack, url: str, path: str, session: StorageState | None = None
) -> Page:
    """Open a window that shows every stream, in a context of its own, which the stack closes.

    Windows of one context would share a renderer and its work, and at most six connections to a host.
    """
    context = await browser.new_context(base_url=url, viewport=VIEWPORT, storage_state=session)
    stack.push_async_callback(context.close)
    page = await context.new_page()
    await page.goto(path)
    await page.wait_for_function(f"document.querySelectorAll('[data-field=completed]').length >= {STREAMS}")
    return page


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
