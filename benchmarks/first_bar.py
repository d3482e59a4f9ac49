"""Time from nothing to a live bar, as a person gets there: start, open the address, paste one line into a terminal.

    python -m benchmarks.first_bar

The terminal is a shell in a new virtual environment; the browser enters the demo, copies the line of the page, and
allows the terminal when it asks. Needs no network: the SDK comes from the app.
"""

import asyncio
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from playwright.async_api import Page, async_playwright

from tests.app_process import running
from tests.browser import FLAGS, find

ALLOW = re.compile(rb"(http\S+/connect/allow\?\S+)")
SECONDS = 120.0


async def first_bar(report: Callable[[str, float], None]) -> None:
    """Go the way once; `report` gets each step and the seconds since the start."""
    with tempfile.TemporaryDirectory(prefix="first-bar-") as name:
        folder = Path(name)
        began = time.monotonic()

        def done(step: str) -> None:
            report(step, time.monotonic() - began)

        async with running({"LIVEWATCH_DATA": str(folder / "data"), "LIVEWATCH_DEMO_SCAN": "false"}) as app:
            done("1. the app is ready")
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=find(), args=FLAGS)
                page = await browser.new_page()
                await page.goto(app.url)
                await page.get_by_text("Enter the demo").click()
                await page.wait_for_selector('body[data-live="connected"]')
                await page.goto(f"{app.url}/connect")
                line = await page.get_by_text("pip install http").first.inner_text()
                done("2. the address is open, with the line to paste")
                terminal = await open_terminal(folder, line)
                done("   (a new virtual environment was made meanwhile)")
                await allow(page, terminal)
                done("3. the terminal is allowed")
                await page.goto(f"{app.url}/monitoring")
                await page.wait_for_function(
                    "Number(document.querySelector('[data-table=streams][data-field=completed]')?.dataset.value) > 0",
                    timeout=SECONDS * 1000,
                )
                done("   the bar moves")
                await browser.close()
                terminal.terminate()
                await terminal.wait()


async def open_terminal(folder: Path, line: str) -> asyncio.subprocess.Process:
    """Run the line in a shell whose `python3` is that of a new virtual environment."""
    venv = folder / "venv"
    making = await asyncio.create_subprocess_exec(sys.executable, "-m", "venv", str(venv))
    await making.wait()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("LIVEWATCH_", "PYTHON"))},
        "PATH": f"{venv / 'bin'}:{os.environ['PATH']}",
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_STATE_HOME": str(folder / "state"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    return await asyncio.create_subprocess_exec(
        "bash", "-c", line, env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )


async def allow(page: Page, terminal: asyncio.subprocess.Process) -> None:
    """Open the address that the terminal shows, and press Allow."""
    assert terminal.stderr
    async for output in terminal.stderr:
        if found := ALLOW.search(output):
            await page.goto(found[1].decode())
            await page.get_by_role("button", name="Allow").click()
            await page.get_by_role("heading", name="Connected").wait_for()
            return
    raise RuntimeError("The terminal ended without asking to be allowed.")


def main() -> int:
    """Print the steps; returns the exit code."""
    asyncio.run(first_bar(lambda step, seconds: print(f"{seconds:6.1f} s  {step}", flush=True)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
