"""Gate of the benchmarks, `python -m benchmarks.gate [--write]`: ratios of the app to the floor in one run.

Absolute times differ between machines. The app and the floor (NOTIFY → server-sent event → `textContent`) are measured
one after the other, three times, and the medians of their ratios compared with docs/bench-gate.json. Exits with 1 when
one is more than 20 % worse; `--write` stores them instead.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

from benchmarks.browsers import SETTLE_SECONDS, notifying, session_of, window_of
from benchmarks.latency import HEAD, Latency, Load, measure
from benchmarks.stage import EMAIL, baseline, prepare
from local_supabase.process import LocalSupabase
from local_supabase.status import LocalSupabaseStatus
from services.infra.backend import APP_ROLE, MIGRATIONS
from tests.app_process import ROOT, project_settings, running
from tests.browser import ADVICE, FLAGS, find

FIGURES = ROOT / "docs" / "bench-gate.json"
LOADS = ((1, 10), (1, 100), (8, 100))
"""Pairs of a number of windows, ascending, and changes per second."""
REPEATS = 3
SECONDS = 8.0
TOLERANCE = 1.2
"""Factor by which a ratio may be worse than the stored one."""
Ratios = dict[str, float]


async def main() -> int:
    """Measure, then compare with the stored ratios or store them; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"store the ratios in {FIGURES.relative_to(ROOT)}")
    is_writing = parser.parse_args().write
    ratios = await measured()
    if is_writing:
        FIGURES.write_text(json.dumps(ratios, indent=2) + "\n")
        return 0
    worse = compare(ratios, json.loads(FIGURES.read_text()))
    for line in worse:
        print(line, file=sys.stderr)
    return 1 if worse else 0


def compare(ratios: Ratios, stored: Ratios) -> list[str]:
    """Return a sentence for each ratio that is worse than the stored one by more than the tolerance."""
    return [
        f"{name}: {ratios[name]:.2f} times the floor, and {before:.2f} times before."
        for name, before in stored.items()
        if name in ratios and ratios[name] > before * TOLERANCE
    ]


async def measured() -> Ratios:
    """Return the medians of the ratios of all repeats, by load and percentile."""
    found: list[Ratios] = []
    with tempfile.TemporaryDirectory(prefix="livewatch-gate-") as name:
        folder = Path(name)
        async with (
            LocalSupabase.start(data=folder / "data", migrations=MIGRATIONS, user=EMAIL, app_role=APP_ROLE) as local,
            async_playwright() as playwright,
        ):
            streams = await prepare(local.status)
            browser = await playwright.chromium.launch(executable_path=find() or sys.exit(ADVICE), args=FLAGS)
            url = local.status.database_url.get_secret_value()
            loads = [
                (windows, Load(database_url=url, streams=streams, rate=rate, seconds=SECONDS))
                for windows, rate in LOADS
            ]
            for repeat in range(REPEATS):
                ours = await of_the_app(local.status, browser, loads, folder / f"app{repeat}")
                floor = await of_the_floor(local.status, browser, loads)
                found.append(ratios_of(ours, floor))
                print(f"Repeat {repeat + 1}: the app, then the floor, ms\n{HEAD}")
                print(*(each.row() for each in (*ours, *floor)), sep="\n", flush=True)
            await browser.close()
    return {name: round(statistics.median(each[name] for each in found), 2) for name in found[0]}


def ratios_of(ours: list[Latency], floor: list[Latency]) -> Ratios:
    """Return p50 and p95 of the app as multiples of the floor's."""
    ratios = {}
    for mine, least in zip(ours, floor, strict=True):
        name = f"{mine.windows} windows, {mine.rate}/s"
        ratios[f"{name}, p50"] = round(mine.p50 / least.p50, 2)
        ratios[f"{name}, p95"] = round(mine.p95 / least.p95, 2)
    return ratios


async def of_the_app(
    status: LocalSupabaseStatus, browser: Browser, loads: list[tuple[int, Load]], folder: Path
) -> list[Latency]:
    """Measure the app, each window in a context of its own."""
    async with running(project_settings(status, folder)) as app, AsyncExitStack() as stack:
        session = await session_of(browser, app.url, status)
        return await each_load(
            loads, lambda: window_of(browser, stack, app.url, "/monitoring", session), server=app.pid
        )


async def of_the_floor(status: LocalSupabaseStatus, browser: Browser, loads: list[tuple[int, Load]]) -> list[Latency]:
    """Measure the floor with as many windows."""
    async with notifying(status), baseline("sse", status) as (url, pid), AsyncExitStack() as stack:
        return await each_load(loads, lambda: window_of(browser, stack, url, "/"), server=pid)


async def each_load(
    loads: list[tuple[int, Load]], open_window: Callable[[], Awaitable[Page]], *, server: int
) -> list[Latency]:
    """Measure each load with as many windows as it needs."""
    pages: list[Page] = []
    found = []
    for windows, load in loads:
        while len(pages) < windows:
            pages.append(await open_window())
        await asyncio.sleep(SETTLE_SECONDS)
        found.append(await measure(pages, load, server=server))
    return found


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
