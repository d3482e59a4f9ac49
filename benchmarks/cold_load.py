"""First load with an empty cache, until the first paint and 100 cards: the app and plain NiceGUI in the same run."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from playwright.async_api import Browser, Page, StorageState

from benchmarks.browsers import NOTIFIED, VIEWPORT, notifying, session_of
from benchmarks.stage import baseline
from local_supabase.status import LocalSupabaseStatus
from tests.app_process import project_settings, running

LOADS = 9
CARDS = 100
SLOW = {"offline": False, "latency": 100, "downloadThroughput": 400_000 / 8, "uploadThroughput": 400_000 / 8}
"""A line of 400 kbit/s and 100 ms."""
# Runs before the page's own scripts. Cards count once they are painted: in the frame after they are there.
CLOCK = f"""
(() => {{
  const times = (window.coldTimes = {{}});
  let blocked = 0;
  new PerformanceObserver((list) => {{
    for (const task of list.getEntries()) blocked += Math.max(0, task.duration - 50);
    times.blocked = blocked;
  }}).observe({{ type: "longtask", buffered: true }});
  times.blocked = 0;
  const look = () => {{
    const cards = document.querySelectorAll('[data-field="completed"]').length >= {CARDS};
    if (cards && !times.cards) times.cards = performance.now();
    if (cards && document.body?.dataset.live === "connected" && !times.live) times.live = performance.now();
    if (!times.live) requestAnimationFrame(look);
  }};
  look();
}})();
"""
MILESTONES = {"paint": "first contentful paint", "cards": f"{CARDS} cards", "live": "live", "blocked": "blocked"}


@dataclass(slots=True)
class Traffic:
    """Bytes on the wire and requests of one load."""

    sizes: list[float] = field(default_factory=list)

    async def watch(self, page: Page, *, slow: bool) -> None:
        """Count what the page receives, over a slow line if asked."""
        session = await page.context.new_cdp_session(page)
        await session.send("Network.enable")
        session.on("Network.loadingFinished", lambda event: self.sizes.append(event["encodedDataLength"]))
        if slow:
            await session.send("Network.emulateNetworkConditions", SLOW)


Load = dict[str, float]
Measure = Callable[[], Awaitable[Load]]


async def cold_load(status: LocalSupabaseStatus, browser: Browser, folder: Path, *, loads: int = LOADS) -> None:
    """Measure loads in a new browser context each, the app and the baselines in turns."""
    async with (
        running(project_settings(status, folder / "cold")) as app,
        notifying(status),
        baseline("timer", status, ()) as (timer, _),
        baseline("binding", status, ()) as (binding, _),
    ):
        session = await session_of(browser, app.url, status)
        measures: dict[str, Measure] = {
            "Livewatch": lambda: load(browser, f"{app.url}/monitoring", session),
            "Plain NiceGUI, ui.timer(1.0)": lambda: load(browser, timer),
            NOTIFIED["binding"]: lambda: load(browser, binding),
        }
        await compare(measures, loads, "a fast line")
        slow: dict[str, Measure] = {
            "Livewatch": lambda: load(browser, f"{app.url}/monitoring", session, slow=True),
            "Plain NiceGUI, ui.timer(1.0)": lambda: load(browser, timer, slow=True),
        }
        await compare(slow, max(2, loads // 2), "400 kbit/s and 100 ms")


async def compare(measures: dict[str, Measure], loads: int, line: str) -> None:
    """Measure in turns, so that the machine's other work meets all alike; print medians, p95, maxima and ratios."""
    for measure in measures.values():
        await measure()
    found: dict[str, list[Load]] = {name: [] for name in measures}
    for _ in range(loads):
        for name, measure in measures.items():
            found[name].append(await measure())
    print(f"First load with an empty cache over {line}, ms, median / p95 / max of {loads}")
    for name, each in found.items():
        print(f"  {name}: {median(load['kb'] for load in each):.0f} kB in {each[-1]['requests']:.0f} requests")
        for key, label in MILESTONES.items():
            print(f"    {label:<24}{spread([load[key] for load in each])}")
    first, *others = found
    for other in others:
        ratio = median(load["cards"] for load in found[first]) / median(load["cards"] for load in found[other])
        print(f"  {CARDS} cards, {first} against {other}: {ratio:.2f}")
    print(flush=True)


def spread(values: Sequence[float]) -> str:
    """Return the median, the 95th percentile and the maximum."""
    ordered = sorted(values)
    return (
        f"{median(ordered):.0f} / {ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]:.0f} / {ordered[-1]:.0f}"
    )


async def load(browser: Browser, url: str, session: StorageState | None = None, *, slow: bool = False) -> Load:
    """Load a page in a new context; returns milliseconds since the navigation began, kilobytes and requests."""
    context = await browser.new_context(viewport=VIEWPORT, storage_state=session)
    await context.add_init_script(CLOCK)
    page = await context.new_page()
    traffic = Traffic()
    await traffic.watch(page, slow=slow)
    await page.goto(url, wait_until="commit")
    painted = "performance.getEntriesByName('first-contentful-paint').length"
    await page.wait_for_function(f"window.coldTimes?.live && {painted}", timeout=120_000)
    times: Load = await page.evaluate(
        "({...window.coldTimes, paint: performance.getEntriesByName('first-contentful-paint')[0].startTime})"
    )
    await context.close()
    return {**times, "kb": sum(traffic.sizes) / 1000, "requests": len(traffic.sizes)}
