"""Pages opened and closed by the thousand: what is left of them in the app."""

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
AT_ONCE = 10
SETTLED = 60.0
GROWTH = {"memory": 0.10, "objects": 0.01}
"""The share by which these may grow without being called a leak: the allocator keeps what it had, caches fill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaks:
    """What there was before and after `windows` were opened and closed, in `seconds`."""

    windows: int
    seconds: float
    before: dict[str, float]
    after: dict[str, float]

    @property
    def left(self) -> dict[str, float]:
        """What there is more of than before and than may be."""
        allowed = {name: value * (1 + GROWTH.get(name, 0)) for name, value in self.before.items()}
        return {name: value - allowed[name] for name, value in self.after.items() if value > allowed[name]}


async def leaks(app: AppProcess, http: httpx.AsyncClient, paths: Sequence[str], *, warm_up: int, windows: int) -> Leaks:
    """Open and close `windows` over `paths` in turn, ten at a time, after `warm_up` others that fill every cache.

    `http` has a session's cookie; `app` runs `benchmarks.counted_app`.
    """
    await open_and_close(http, paths, warm_up)
    before = await settled(app)
    began = time.perf_counter()
    await open_and_close(http, paths, windows)
    seconds = time.perf_counter() - began
    return Leaks(windows=windows, seconds=seconds, before=before, after=await settled(app))


async def open_and_close(http: httpx.AsyncClient, paths: Sequence[str], windows: int) -> None:
    """Of four windows one is closed once it is live, one after it went on to another page, one before it is live, and
    one breaks off without a word."""
    left = iter(range(windows))

    async def one_after_another() -> None:
        for number in left:
            async with SimulatedWindow(http, paths[number % len(paths)]) as window:
                if number % 4 != 2:
                    await window.until_live()
                if number % 4 == 1:
                    await window.go(paths[(number + 1) % len(paths)])
                await window.close(torn=number % 4 == 3)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(one_after_another())


async def settled(app: AppProcess) -> dict[str, float]:
    """The counts once every window is given up, its tab forgotten and every feed released; else those of a minute
    later."""
    deadline = time.monotonic() + SETTLED
    while True:
        counts = await counts_of(app)
        if not any(counts[name] for name in ("clients", "feeds", "tab storages")) or time.monotonic() > deadline:
            return counts
        await asyncio.sleep(0.5)


async def counts_of(app: AppProcess) -> dict[str, float]:
    """What `counted_app` tells."""
    (line,) = [line for line in app.lines if line.startswith("counts on ")]
    reader, writer = await asyncio.open_connection("127.0.0.1", int(line.rpartition(" ")[2]))
    text = await reader.read()
    writer.close()
    counts: dict[str, float] = json.loads(text)
    return counts
