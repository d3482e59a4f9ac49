"""Measures boards in Chromium: `python -m benchmarks.history.in_browser --data FOLDER [--loads 30]`.

From the navigation to the last drawn chart, scripts and shell included, with the data of `benchmarks.organisation` and
in an organisation that has nothing.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psutil
from playwright.async_api import Page, async_playwright

from benchmarks.__main__ import commit
from benchmarks.browsers import VIEWPORT, session_of
from benchmarks.history.__main__ import new_organization, stage
from benchmarks.history.measuring import HEAD, Times
from benchmarks.organisation import organisation_of
from benchmarks.organisation.__main__ import scale
from tests.app_process import project_settings, running
from tests.browser import FLAGS, find

BOARDS = {
    "a day": "",
    "90 days": "from=90d",
    "everything": "from=all",
    "agents, everything": "kind=agents&from=all",
    "failed agents, a year": "kind=agents&status=failed&from=365d",
}
# Runs before the page's own scripts. A chart counts once it is painted, a card of figures once they are there.
CLOCK = """
(() => {
  const look = () => {
    const charts = [...document.querySelectorAll('[data-chart]')];
    const drawn = (chart) => chart.querySelector('canvas, dd, li, .lw-board__hint');
    if (charts.length > 1 && charts.every(drawn)) window.drawnAt = performance.now();
    else requestAnimationFrame(look);
  };
  look();
})();
"""


async def main() -> None:
    """Measure, and print a table for docs/BENCHMARKS.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.history.in_browser", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="data of the local Supabase")
    parser.add_argument("--scale", type=scale, default=1.0, help="size of the organisation (default: 1)")
    parser.add_argument("--loads", type=int, default=30, help="loads of each board (default: 30)")
    arguments = parser.parse_args()
    print(f"Commit {commit()}, load average {psutil.getloadavg()[0]:.1f} before the start\n\n{HEAD}", flush=True)
    with tempfile.TemporaryDirectory(prefix="livewatch-boards-", ignore_cleanup_errors=True) as folder:
        async with (
            stage(arguments.data) as (local, _, identity),
            running(project_settings(local.status, Path(folder) / "app")) as app,
            async_playwright() as playwright,
        ):
            browser = await playwright.chromium.launch(executable_path=find(), args=FLAGS)
            session = await session_of(browser, app.url, local.status)
            context = await browser.new_context(viewport=VIEWPORT, storage_state=session)
            await context.add_init_script(CLOCK)
            page = await context.new_page()
            large = organisation_of(1, arguments.scale, owner=identity.user_id).id
            empty = await new_organization(local, identity)
            for name, org in (("the organisation at scale", large), ("an organisation with nothing", empty)):
                for board, params in BOARDS.items():
                    address = f"{app.url}/analytics?org={org}&{params}"
                    times = await loads(page, address, arguments.loads)
                    print(Times(name=f"{name}: {board}", rows=0, milliseconds=times).row(), flush=True)
            await browser.close()


async def loads(page: Page, address: str, count: int) -> Sequence[float]:
    """Load a board `count` times after one that does not count; returns milliseconds, ascending."""
    times = []
    for _ in range(count + 1):
        await page.goto(address, wait_until="commit")
        await page.wait_for_function("window.drawnAt")
        times.append(await page.evaluate("window.drawnAt"))
    return sorted(times[1:])


if __name__ == "__main__":
    asyncio.run(main())
