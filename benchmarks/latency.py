"""Latency from commit to DOM: time until a committed value is in the page."""

import asyncio
import bisect
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import psycopg
from playwright.async_api import Page

from benchmarks.cpu import cpu_seconds, per_thousand
from tests.world import until

# Records when a counter's text changes, by the wall clock of the machine, which also commits.
OBSERVER = """
() => {
  window.seen = [];
  if (window.observing) return;
  window.observing = true;
  const note = (element) => {
    const value = Number(element.textContent.replace(/[^0-9]/g, ""));
    window.seen.push([element.dataset.id, value, performance.timeOrigin + performance.now()]);
  };
  const look = (record) => {
    const target = record.target.nodeType === 3 ? record.target.parentElement : record.target;
    const element = target?.closest?.('[data-field="completed"]');
    if (element) note(element);
    // Streamlit writes its text as a whole.
    else record.addedNodes.forEach((node) => {
      if (node.dataset?.field === "completed") note(node);
      node.querySelectorAll?.('[data-field="completed"]').forEach(note);
    });
  };
  new MutationObserver((all) => all.forEach(look)).observe(document.body, {
    subtree: true, characterData: true, childList: true,
  });
}
"""


HEAD = (
    f"{'windows':>7} {'changes':>11} {'committed':>9} {'p50':>9} {'p95':>9} {'p99':>9} {'max':>9} {'lost':>6}"
    "   CPU seconds for 1,000 changes"
)
COMPLETED = "update streams set completed = completed + 1 where id = %s returning completed"
WITH_STATUS = (
    "update streams set completed = completed + 1, goal_status = case goal_status when 'on_track' then 'at_risk' else"
    " 'on_track' end where id = %s returning completed"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Percentiles over all changes and windows in milliseconds; `lost` counts changes that a window never showed."""

    windows: int
    rate: int
    changes: int
    p50: float
    p95: float
    p99: float
    max: float
    lost: int
    cpu: str

    def row(self) -> str:
        return (
            f"{self.windows:>7} {self.rate:>9}/s {self.changes:>9} {self.p50:>9.1f} {self.p95:>9.1f} {self.p99:>9.1f} "
            f"{self.max:>9.1f} {self.lost:>6}   {self.cpu}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Commits `rate` changes per second for some seconds, round-robin over the streams, by one SQL statement each."""

    database_url: str
    streams: Sequence[UUID]
    rate: int
    seconds: float
    statement: str = COMPLETED

    async def run(self) -> list[tuple[str, int, float]]:
        """Return stream, new value and time of each commit, in epoch milliseconds."""
        commits: list[tuple[str, int, float]] = []
        async with await psycopg.AsyncConnection.connect(self.database_url, autocommit=True) as connection:
            started = time.perf_counter()
            for index in range(int(self.rate * self.seconds)):
                await asyncio.sleep(max(0.0, started + index / self.rate - time.perf_counter()))
                stream = self.streams[index % len(self.streams)]
                row = await (await connection.execute(self.statement.encode(), (stream,))).fetchone()
                assert row is not None
                commits.append((str(stream), row[0], time.time() * 1000))
        return commits


async def measure(pages: Sequence[Page], load: Load, *, server: int) -> Latency:
    """Find each change of a load in every page; `server` is the process id of the server."""
    for page in pages:
        await page.evaluate(OBSERVER)
    before = cpu_seconds(server)
    commits = await load.run()
    last = {stream: value for stream, value, _ in commits}
    for page in pages:
        await _shows(page, last)
    cpu = per_thousand(before, cpu_seconds(server), len(commits))
    latencies: list[float] = []
    lost = 0
    for page in pages:
        seen = await page.evaluate("() => window.seen")
        found = first_shown(commits, seen)
        latencies += [each for each in found if each is not None]
        lost += found.count(None)
    quantiles = statistics.quantiles(latencies, n=100)
    return Latency(
        windows=len(pages),
        rate=load.rate,
        changes=len(commits),
        p50=statistics.median(latencies),
        p95=quantiles[94],
        p99=quantiles[98],
        max=max(latencies),
        lost=lost,
        cpu=cpu,
    )


def first_shown(
    commits: Sequence[tuple[str, int, float]], shown: Sequence[tuple[str, int, float]]
) -> list[float | None]:
    """Return the milliseconds from each commit until its value, or a later one, was shown; None if it never was.

    A frame holds only the newest value of a row.
    """
    seen: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for id, value, at in shown:
        seen[id].append((value, at))
    found: list[float | None] = []
    for id, value, at in commits:
        later = bisect.bisect_left(seen[id], (value, 0.0))
        found.append(max(0.0, seen[id][later][1] - at) if later < len(seen[id]) else None)
    return found


async def _shows(page: Page, values: dict[str, int]) -> None:
    """Wait until the page equals the database."""

    async def equal() -> bool:
        shown = await page.evaluate(
            """() => Object.fromEntries([...document.querySelectorAll('[data-field="completed"]')]
                .map((element) => [element.dataset.id, Number(element.textContent.replace(/[^0-9]/g, ""))]))"""
        )
        return all(shown.get(stream) == value for stream, value in values.items())

    await until(equal, within=60, what="the page shows the last values")
