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


HEAD = f"{'windows':>7} {'changes':>11} {'committed':>9} {'p50':>9} {'p95':>9} {'p99':>9} {'lost':>6}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Percentiles over all windows in milliseconds; `lost` counts changes that a window never showed."""

    windows: int
    rate: int
    changes: int
    p50: float
    p95: float
    p99: float
    lost: int

    def row(self) -> str:
        return (
            f"{self.windows:>7} {self.rate:>9}/s {self.changes:>9} {self.p50:>9.1f} {self.p95:>9.1f} {self.p99:>9.1f} "
            f"{self.lost:>6}"
        )


async def measure(
    pages: Sequence[Page], database_url: str, streams: Sequence[UUID], *, rate: int, seconds: float
) -> Latency:
    """Commit `rate` changes per second, round-robin over the streams, and find each one in every page."""
    for page in pages:
        await page.evaluate(OBSERVER)
    commits: list[tuple[str, int, float]] = []
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        started = time.perf_counter()
        for index in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, started + index / rate - time.perf_counter()))
            stream = streams[index % len(streams)]
            cursor = await connection.execute(
                "update streams set completed = completed + 1 where id = %s returning completed", (stream,)
            )
            row = await cursor.fetchone()
            assert row is not None
            commits.append((str(stream), row[0], time.time() * 1000))
    last = {stream: value for stream, value, _ in commits}
    for page in pages:
        await _shows(page, last)
    latencies: list[float] = []
    lost = 0
    for page in pages:
        seen: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for id, value, at in await page.evaluate("() => window.seen"):
            seen[id].append((value, at))
        for id, value, at in commits:
            # A frame contains only the newest value, so that the first value not below this one counts.
            later = bisect.bisect_left(seen[id], (value, 0.0))
            if later < len(seen[id]):
                latencies.append(max(0.0, seen[id][later][1] - at))
            else:
                lost += 1
    quantiles = statistics.quantiles(latencies, n=100)
    return Latency(
        windows=len(pages),
        rate=rate,
        changes=len(commits),
        p50=statistics.median(latencies),
        p95=quantiles[94],
        p99=quantiles[98],
        lost=lost,
    )


async def _shows(page: Page, values: dict[str, int]) -> None:
    """Wait until the page equals the database."""

    async def equal() -> bool:
        shown = await page.evaluate(
            """() => Object.fromEntries([...document.querySelectorAll('[data-field="completed"]')]
                .map((element) => [element.dataset.id, Number(element.textContent.replace(/[^0-9]/g, ""))]))"""
        )
        return all(shown.get(stream) == value for stream, value in values.items())

    await until(equal, within=60, what="the page shows the last values")
