"""Time to first paint: the shell, the first cards, and the search over thousands of streams."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from playwright.async_api import Browser, Page

from benchmarks.loads import resize_streams
from benchmarks.stage import sign_in
from local_supabase.status import LocalSupabaseStatus
from tests.app_process import project_settings, running

TIMES = 7
CARDS = 100
MANY = 2000
# Runs before the page's own scripts and records when the socket, the cards and the search are available.
CLOCK = """
(() => {
  const times = (window.paintTimes = {});
  const note = (name) => (times[name] ??= performance.now());
  const look = () => {
    if (window.socket?.connected) note("socket");
    if (document.querySelector(".lw-sidebar, nav")) note("shell");
    if (document.querySelectorAll('[data-table="streams"][data-field="completed"]').length >= 100) note("cards");
    if (document.querySelector("[data-lw-search] input, input[data-lw-search]")) note("search");
    if (!times.cards || !times.search) setTimeout(look, 1);
  };
  look();
})();
"""
NAMES = {"shell": "the page's frame", "socket": "the socket", "cards": f"{CARDS} cards", "search": "the search"}


async def first_paint(status: LocalSupabaseStatus, browser: Browser, folder: Path) -> None:
    """Measure loads of the monitoring page with a warm browser cache."""
    async with running(project_settings(status, folder / "paint")) as app:
        context = await browser.new_context(base_url=app.url, viewport={"width": 1440, "height": 900})
        await context.add_init_script(CLOCK)
        page = await context.new_page()
        await page.goto("/sign-in")
        await sign_in(page, status)
        for streams in (CARDS, MANY):
            await resize_streams(status, streams)
            loads = [await load(page) for _ in range(TIMES)]
            tell(streams, loads[1:])
        await context.close()


async def load(page: Page) -> dict[str, float]:
    """Load the page once; returns milliseconds since the start of the navigation, by milestone."""
    await page.goto("/monitoring")
    await page.wait_for_function("window.paintTimes?.cards && window.paintTimes?.search")
    times: dict[str, float] = await page.evaluate(
        "({...window.paintTimes, paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0})"
    )
    return times


def tell(streams: int, loads: Sequence[dict[str, float]]) -> None:
    """Print the medians."""
    print(f"First paint with {streams:,} streams, ms since the navigation began (median of {len(loads)})")
    print(f"  first contentful paint  {median(load['paint'] for load in loads):.0f}")
    for name, label in NAMES.items():
        print(f"  {label:<24}{median(load[name] for load in loads):.0f}")
    print(f"  socket to {CARDS} cards     {median(load['cards'] - load['socket'] for load in loads):.0f}\n", flush=True)
