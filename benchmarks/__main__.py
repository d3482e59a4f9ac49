"""Command line of the benchmarks: `python -m benchmarks [--quick] [--only PART]` runs them and prints the figures."""

import argparse
import asyncio
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from uuid import UUID

import httpx
import psutil
from playwright.async_api import async_playwright

from benchmarks.browsers import Screens, in_browsers
from benchmarks.cold_load import cold_load
from benchmarks.crowds import crowds
from benchmarks.first_paint import first_paint
from benchmarks.growth import growth
from benchmarks.leaks import PATHS, leaks
from benchmarks.loads import loads
from benchmarks.sdk import sdk
from benchmarks.slow_window import slow_window
from benchmarks.stage import EMAIL, enter, first_byte, prepare
from local_supabase.process import LocalSupabase
from local_supabase.status import LocalSupabaseStatus
from services.infra.backend import APP_ROLE, MIGRATIONS
from tests.app_process import ROOT, launch, project_settings, running
from tests.browser import ADVICE, FLAGS, find

PARTS = ("start", "sdk", "browsers", "crowds", "slow", "paint", "cold", "loads", "growth", "leaks")


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="run each part for a few seconds only, as a smoke test")
    parser.add_argument("--only", action="append", choices=PARTS, help="part to run; may be repeated (default: all)")
    parser.add_argument(
        "--images", type=Path, metavar="FOLDER", help="folder for plots of the part growth (default: none)"
    )
    arguments = parser.parse_args()
    parts = arguments.only or PARTS
    seconds = 3.0 if arguments.quick else 15.0
    print(
        f"Commit {commit()}, Python {platform.python_version()}, {psutil.cpu_count()} cores, {platform.system()} "
        f"{platform.machine()}, load average {psutil.getloadavg()[0]:.1f} before the start\n"
    )
    with tempfile.TemporaryDirectory(prefix="livewatch-bench-") as name:
        folder = Path(name)
        if "start" in parts:
            await start_up(folder / "start")
        async with LocalSupabase.start(
            data=folder / "data", migrations=MIGRATIONS, user=EMAIL, app_role=APP_ROLE
        ) as local:
            streams = await prepare(local.status)
            if "sdk" in parts:
                await sdk(local.status, seconds, folder, quick=arguments.quick)
            if "browsers" in parts:
                await with_chromium(local.status, streams, seconds, folder)
            if "crowds" in parts:
                await crowds(local.status, streams, seconds, folder)
            if "slow" in parts:
                await slow_window(local.status, streams, seconds, folder)
            if "paint" in parts:
                await painted(local.status, folder)
            if "cold" in parts:
                await loaded_cold(local.status, folder, loads=2 if arguments.quick else 9)
            if "loads" in parts:
                await loads(local.status, folder, minutes=0.2 if arguments.quick else 5)
            if "growth" in parts:
                await growth(local.status, seconds, folder, arguments.images)
            if "leaks" in parts:
                await opened_and_closed(local.status, streams, folder, 200 if arguments.quick else 2000)


def commit() -> str:
    """Return the abbreviated commit of the working tree, with a plus if it has changes."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    return described.stdout.strip() or "unknown"


async def painted(status: LocalSupabaseStatus, folder: Path) -> None:
    """Measure the first paint in a browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find() or sys.exit(ADVICE), args=FLAGS)
        await first_paint(status, browser, folder)
        await browser.close()


async def loaded_cold(status: LocalSupabaseStatus, folder: Path, *, loads: int) -> None:
    """Measure first loads in a browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find() or sys.exit(ADVICE), args=FLAGS)
        await cold_load(status, browser, folder, loads=loads)
        await browser.close()


async def with_chromium(status: LocalSupabaseStatus, streams: list[UUID], seconds: float, folder: Path) -> None:
    """Run the parts that need a browser."""
    path = find()
    if path is None:
        sys.exit(ADVICE)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        await in_browsers(Screens(status=status, browser=browser, streams=streams, seconds=seconds), folder)
        await browser.close()


async def start_up(data: Path) -> None:
    """Print the seconds from starting main.py to the first byte of the sign-in page, with a new and a used database."""
    print("Start-up, s")
    for name in ("cold", "warm", "warm"):
        began = time.perf_counter()
        app = await launch({"LIVEWATCH_DATA": str(data), "LIVEWATCH_DEMO_SCAN": "0"})
        try:
            await app.ready()
            await asyncio.to_thread(first_byte, app.url)
            print(f"  {name:<5} {time.perf_counter() - began:.2f}")
        finally:
            await app.stop()
    print()


async def opened_and_closed(status: LocalSupabaseStatus, streams: list[UUID], folder: Path, windows: int) -> None:
    """Print the resources of the app before and after many windows were opened and closed."""
    paths = [*PATHS, f"/streams/{streams[0]}"]
    environment = project_settings(status, folder / "counted")
    async with (
        running(environment, command=("-m", "benchmarks.counted_app")) as app,
        httpx.AsyncClient(base_url=app.url) as http,
    ):
        await enter(http, status)
        result = await leaks(app, http, paths, warm_up=windows // 5, windows=windows)
    print(f"{windows} windows opened and closed in {result.seconds:.0f} s")
    print(f"{'':<16} {'before':>8} {'after':>8}")
    for name, value in result.before.items():
        digits = 1 if name == "memory" else 0
        print(f"  {name:<14} {value:>8.{digits}f} {result.after[name]:>8.{digits}f}")
    print(f"  leaked: {', '.join(result.leaked) or 'nothing'}\n")


if __name__ == "__main__":
    asyncio.run(main())
