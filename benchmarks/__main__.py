"""Runs every measurement on this machine and prints the figures: `python -m benchmarks [--quick]`."""

import argparse
import asyncio
import platform
import socket
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import UUID

import httpx
import psutil
import psycopg
from playwright.async_api import Browser, Page, async_playwright

from benchmarks.latency import measure
from benchmarks.leaks import PATHS, leaks
from services.backend import APP_ROLE, MIGRATIONS
from services.local_supabase.process import LocalSupabase
from services.local_supabase.status import LocalSupabaseStatus
from tests.app_process import launch, running
from tests.browser import ADVICE, FLAGS, find

STREAMS = 100
EMAIL = "bench@livewatch.local"
ORG = UUID("00000000-0000-4000-8000-00000000bece")


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds each, to see that it works")
    is_quick = parser.parse_args().quick
    seconds = 3.0 if is_quick else 15.0
    print(f"Python {platform.python_version()}, {psutil.cpu_count()} cores, {platform.system()} {platform.machine()}\n")
    with tempfile.TemporaryDirectory(prefix="livewatch-bench-") as folder:
        await start_up(Path(folder) / "start")
        async with (
            LocalSupabase.start(
                data=Path(folder) / "data", migrations=MIGRATIONS, user=EMAIL, app_role=APP_ROLE
            ) as local,
            async_playwright() as playwright,
        ):
            path = find()
            if path is None:
                sys.exit(ADVICE)
            browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
            streams = await prepare(local.status)
            await product(local.status, browser, streams, seconds, Path(folder))
            await baseline(local.status, browser, streams, seconds)
            await browser.close()
            await opened_and_closed(local.status, streams, Path(folder), 200 if is_quick else 2000)


async def start_up(data: Path) -> None:
    """Seconds from `python main.py` to the first byte of the sign-in page: on an empty data directory, and again."""
    print("Start-up, s")
    for name in ("cold", "warm", "warm"):
        began = time.perf_counter()
        app = await launch({"LIVEWATCH_DATA": str(data), "LIVEWATCH_DEMO_SCAN": "0"})
        try:
            await app.ready()
            await asyncio.to_thread(_first_byte, app.url)
            print(f"  {name:<5} {time.perf_counter() - began:.2f}")
        finally:
            await app.stop()
    print()


async def product(
    status: LocalSupabaseStatus, browser: Browser, streams: list[UUID], seconds: float, folder: Path
) -> None:
    """Latency and memory of the app itself."""
    async with running(project(status, folder / "app")) as app, AsyncExitStack() as stack:
        process = psutil.Process(app.pid)
        context = await browser.new_context(base_url=app.url, viewport={"width": 1440, "height": 900})
        stack.push_async_callback(context.close)
        page = await context.new_page()
        await page.goto("/sign-in")
        empty = memory(process)
        await sign_in(page, status)
        await page.close()
        sizes = []

        async def open_window() -> Page:
            page = await context.new_page()
            await page.goto("/monitoring")
            await page.wait_for_selector('body[data-live="connected"]')
            await page.wait_for_function(f"document.querySelectorAll('[data-field=completed]').length >= {STREAMS}")
            sizes.append(memory(process))
            return page

        await latencies("Livewatch", open_window, status, streams, seconds)
        print("Memory of the app, MiB")
        print(f"  no window          {empty:.1f}")
        print(f"  first window       {sizes[0]:.1f}")
        print(f"  each further one   {(sizes[-1] - sizes[1]) / (len(sizes) - 2):.2f}   ({STREAMS} cards each)\n")


async def opened_and_closed(status: LocalSupabaseStatus, streams: list[UUID], folder: Path, windows: int) -> None:
    """What pages that were opened and closed leave behind in the app."""
    assert status.demo_email
    assert status.demo_password
    paths = [*PATHS, f"/streams/{streams[0]}"]
    environment = project(status, folder / "counted")
    async with (
        running(environment, command=("-m", "benchmarks.counted_app")) as app,
        httpx.AsyncClient(base_url=app.url) as http,
    ):
        form = {"email": status.demo_email, "password": status.demo_password.get_secret_value()}
        await http.post("/session", data=form)
        result = await leaks(app, http, paths, warm_up=windows // 5, windows=windows)
    print(f"{windows} windows opened and closed in {result.seconds:.0f} s")
    print(f"{'':<16} {'before':>8} {'after':>8}")
    for name, value in result.before.items():
        digits = 1 if name == "memory" else 0
        print(f"  {name:<14} {value:>8.{digits}f} {result.after[name]:>8.{digits}f}")
    print(f"  left behind: {', '.join(result.left) or 'nothing'}\n")


def project(status: LocalSupabaseStatus, data: Path) -> dict[str, str]:
    """The settings that point an app at that Supabase, as at any project."""
    assert status.app_database_url
    return {
        "SUPABASE_URL": status.api_url,
        "SUPABASE_ANON_KEY": status.anon_key.get_secret_value(),
        "DATABASE_URL": status.app_database_url.get_secret_value(),
        "LIVEWATCH_DATA": str(data),
    }


async def baseline(status: LocalSupabaseStatus, browser: Browser, streams: list[UUID], seconds: float) -> None:
    """Latency of the same cards in plain NiceGUI that polls."""
    port = _free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.baseline_timer",
        *("--port", str(port), "--org", str(ORG), "--database-url", status.database_url.get_secret_value()),
    )
    try:
        await asyncio.to_thread(_first_byte, f"http://127.0.0.1:{port}")
        async with AsyncExitStack() as stack:
            context = await browser.new_context(base_url=f"http://127.0.0.1:{port}")
            stack.push_async_callback(context.close)

            async def open_window() -> Page:
                page = await context.new_page()
                await page.goto("/")
                await page.wait_for_selector('body[data-live="connected"]')
                return page

            await latencies("Plain NiceGUI, ui.timer(1.0)", open_window, status, streams, seconds)
    finally:
        process.terminate()
        await process.wait()


async def latencies(
    name: str,
    open_window: Callable[[], Awaitable[Page]],
    status: LocalSupabaseStatus,
    streams: list[UUID],
    seconds: float,
) -> None:
    """One line for each number of windows and rate; a window is opened when it is needed and not before."""
    print(f"{name}: commit → DOM over {STREAMS} streams, ms")
    print(f"{'windows':>7} {'changes':>11} {'committed':>9} {'p50':>9} {'p95':>9} {'p99':>9} {'lost':>6}")
    pages: list[Page] = []
    for windows in (1, 8):
        while len(pages) < windows:
            pages.append(await open_window())
        for rate in (10, 100):
            result = await measure(pages, status.database_url.get_secret_value(), streams, rate=rate, seconds=seconds)
            print(result.row(), flush=True)
    print()


async def prepare(status: LocalSupabaseStatus) -> list[UUID]:
    """An organisation of the bench user with streams that have far to go; returns the streams' ids."""
    async with await psycopg.AsyncConnection.connect(
        status.database_url.get_secret_value(), autocommit=True
    ) as connection:
        await connection.execute("insert into organizations (id, name) values (%s, 'Bench')", (ORG,))
        await connection.execute(
            "insert into org_members (org_id, user_id, role) select %s, id, 'admin' from auth.users where email = %s",
            (ORG, EMAIL),
        )
        cursor = await connection.execute(
            "insert into streams (org_id, name, total, goal_status) "
            "select %s, 'Stream ' || n, 1000000, 'on_track' from generate_series(1, %s) as n returning id",
            (ORG, STREAMS),
        )
        return [row[0] for row in await cursor.fetchall()]


async def sign_in(page: Page, status: LocalSupabaseStatus) -> None:
    """Through the form, as a person does."""
    assert status.demo_email
    assert status.demo_password
    await page.get_by_label("E-mail").fill(status.demo_email)
    await page.get_by_label("Password").fill(status.demo_password.get_secret_value())
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_selector('body[data-live="connected"]')


def memory(process: psutil.Process) -> float:
    """Unique memory of the app's process, MiB."""
    return float(process.memory_full_info().uss) / 2**20


def _first_byte(url: str) -> None:
    deadline = time.perf_counter() + 30
    host, port = url.removeprefix("http://").split(":")
    while True:
        try:
            with socket.create_connection((host, int(port)), timeout=5) as connection:
                connection.sendall(f"GET /sign-in HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                if connection.recv(1):
                    return
        except OSError:
            if time.perf_counter() > deadline:
                raise
            time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    asyncio.run(main())
