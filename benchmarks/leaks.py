"""Leak check: resources of the app before and after thousands of windows were opened and closed."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from benchmarks.simulated_window import SimulatedWindow
from tests.app_process import AppProcess

PATHS = (
    "/",
    "/monitoring",
    "/monitoring/scans",
    "/monitoring/agents",
    "/monitoring/alerts",
    "/monitoring/system",
    "/alerts",
    "/notifications",
    "/settings",
)
CONCURRENT_WINDOWS = 10
SETTLE_TIMEOUT_SECONDS = 60.0
ALLOWED_GROWTH = {"memory": 0.10, "objects": 0.01}
"""Relative growth that is not a leak, because the allocator keeps freed memory and caches fill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaks:
    """Resources before and after `windows` windows were opened and closed within `seconds`."""

    windows: int
    seconds: float
    before: dict[str, float]
    after: dict[str, float]

    @property
    def leaked(self) -> dict[str, float]:
        """Growth beyond the allowed one, by resource."""
        allowed = {name: value * (1 + ALLOWED_GROWTH.get(name, 0)) for name, value in self.before.items()}
        return {name: value - allowed[name] for name, value in self.after.items() if value > allowed[name]}


async def leaks(app: AppProcess, http: httpx.AsyncClient, paths: Sequence[str], *, warm_up: int, windows: int) -> Leaks:
    """Open and close windows, ten at a time, and compare the resources before and after.

    Args:
        app: Process of `benchmarks.counted_app`.
        http: Client with a session cookie.
        paths: Pages to open, in turn.
        warm_up: Number of windows to open and close first, which fills the caches.
        windows: Number of windows to measure.
    """
    await open_and_close(http, paths, warm_up)
    before = await settled(app)
    began = time.perf_counter()
    await open_and_close(http, paths, windows)
    seconds = time.perf_counter() - began
    return Leaks(windows=windows, seconds=seconds, before=before, after=await settled(app))


async def open_and_close(http: httpx.AsyncClient, paths: Sequence[str], windows: int) -> None:
    """Open windows and close them when live, after navigating, before being live, or by a dropped connection."""
    numbers = iter(range(windows))

    async def one_after_another() -> None:
        for number in numbers:
            async with SimulatedWindow(http, paths[number % len(paths)]) as window:
                if number % 4 != 2:
                    await window.until_live()
                if number % 4 == 1:
                    await window.go(paths[(number + 1) % len(paths)])
                await window.close(torn=number % 4 == 3)

    async with asyncio.TaskGroup() as group:
        for _ in range(CONCURRENT_WINDOWS):
            group.create_task(one_after_another())


async def settled(app: AppProcess) -> dict[str, float]:
    """Return the counts when no windows, tab storages and feeds remain, or after `SETTLE_TIMEOUT_SECONDS`."""
    deadline = time.monotonic() + SETTLE_TIMEOUT_SECONDS
    while True:
        counts = await counts_of(app)
        if not any(counts[name] for name in ("clients", "feeds", "tab storages")) or time.monotonic() > deadline:
            return counts
        await asyncio.sleep(0.5)


async def counts_of(app: AppProcess) -> dict[str, float]:
    """Read the counts that `counted_app` reports."""
    (line,) = [line for line in app.lines if line.startswith("counts on ")]
    reader, writer = await asyncio.open_connection("127.0.0.1", int(line.rpartition(" ")[2]))
    text = await reader.read()
    writer.close()
    counts: dict[str, float] = json.loads(text)
    return counts
