"""Server cost of delivery to many windows: CPU per change and window, measured with simulated windows."""

import asyncio
import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import httpx
import psutil

from benchmarks.latency import Load, first_shown
from benchmarks.simulated_window import SimulatedWindow

IDLE_SECONDS = 3.0
"""Time to wait before a measurement, and then to measure the idle CPU use of the process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FanOut:
    """Result of one measurement.

    Args:
        windows: Number of windows.
        rate: Changes per second.
        cpu: Microseconds of CPU per change and window.
        frames: Frames per second and window.
        p50: Median of the milliseconds from a commit until its frame arrived at a window.
        p95: 95th percentile of that.
        max: Maximum of that.
        share: CPU use as a fraction of one core.
        memory: Memory of the server in MiB.
    """

    windows: int
    rate: int
    cpu: float
    frames: float
    p50: float
    p95: float
    max: float
    share: float
    memory: float

    def row(self) -> str:
        return (
            f"{self.windows:>7} {self.rate:>9}/s {self.cpu:>12.1f} {self.share * 100:>10.0f}% {self.frames:>10.1f} "
            f"{self.p50:>8.1f} {self.p95:>8.1f} {self.max:>8.1f} {self.memory:>10.1f}"
        )


HEAD = (
    f"{'windows':>7} {'changes':>11} {'µs each':>12} {'of a core':>11} {'frames/s':>10} "
    f"{'p50, ms':>8} {'p95, ms':>8} {'max, ms':>8} {'MiB':>10}"
)


class Crowd:
    """Simulated windows of one page; `pid` is the process id of the server."""

    def __init__(self, http: httpx.AsyncClient, path: str, pid: int, *, waits: bool = True) -> None:
        self._http = http
        self._path = path
        self._waits = waits
        self._process = psutil.Process(pid)
        self._windows: list[SimulatedWindow] = []
        self._shown: list[list[tuple[str, int, float]]] = []

    async def grow(self, windows: int) -> None:
        """Open windows until their number is `windows`."""
        while len(self._windows) < windows:
            shown: list[tuple[str, int, float]] = []
            self._shown.append(shown)
            window = SimulatedWindow(self._http, self._path, on_apply=partial(_note, shown))
            await window.open()
            if self._waits:
                await window.until_live()
            self._windows.append(window)

    async def close(self) -> None:
        """Close all windows."""
        for window in self._windows:
            await window.close()

    async def measure(self, database_url: str, streams: Sequence[UUID], *, rate: int, seconds: float) -> FanOut:
        """Commit `rate` changes per second, round-robin over the streams, and measure the server."""
        await asyncio.sleep(IDLE_SECONDS)
        rest_at, rest_cpu = time.perf_counter(), self._cpu()
        await asyncio.sleep(IDLE_SECONDS)
        idle = (self._cpu() - rest_cpu) / (time.perf_counter() - rest_at)
        frames, cpu = self._frames(), self._cpu()
        for shown in self._shown:
            shown.clear()
        began = time.perf_counter()
        commits = await Load(database_url=database_url, streams=streams, rate=rate, seconds=seconds).run()
        writing = time.perf_counter() - began
        await asyncio.sleep(IDLE_SECONDS / 3)
        lasted = time.perf_counter() - began
        used = max(0.0, self._cpu() - cpu - idle * lasted)
        windows = len(self._windows)
        found = [first_shown(commits, shown) for shown in self._shown if shown]
        latencies = [each for window in found for each in window if each is not None] or [math.nan] * 2
        return FanOut(
            windows=windows,
            rate=rate,
            cpu=used * 1e6 / (int(rate * seconds) * windows),
            frames=(self._frames() - frames) / windows / writing,
            p50=statistics.median(latencies),
            p95=statistics.quantiles(latencies, n=20)[-1],
            max=max(latencies),
            share=used / writing,
            memory=self._process.memory_full_info().uss / 2**20,
        )

    def _cpu(self) -> float:
        times: Any = self._process.cpu_times()
        return float(times.user + times.system)

    def _frames(self) -> int:
        return sum(window.frames + window.updates for window in self._windows)


def _note(shown: list[tuple[str, int, float]], batches: list[Any], _: str | None) -> None:
    """Note the values of a frame with the time of its arrival, as `first_shown` takes them."""
    at = time.time() * 1000
    for _id, batch in batches:
        for id, fields in (batch.get("set") or {}).items():
            if "completed" in fields:
                shown.append((id, fields["completed"], at))
