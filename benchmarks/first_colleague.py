"""Time from `make run` on a machine where nothing is installed to a colleague's window that is live beside yours.

    python -m benchmarks.first_colleague

Clones the checkout, runs `make run` there on an address that other machines reach, and acts as both people.
Needs a network for the packages, unless pip has them in its cache.
"""

import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from playwright.async_api import async_playwright

from tests.app_process import OURS, ROOT, AppProcess
from tests.browser import FLAGS, find
from tests.journey import closed, journey, setup_link

TARGET_SECONDS = 120.0


async def first_colleague(report: Callable[[str], None]) -> None:
    """Go the way once; `report` gets each step."""
    with tempfile.TemporaryDirectory(prefix="first-colleague-") as name:
        clone = Path(name) / "livewatch"
        cloning = await asyncio.create_subprocess_exec("git", "clone", "--quiet", str(ROOT), str(clone))
        assert await cloning.wait() == 0
        environment = {key: value for key, value in os.environ.items() if not key.startswith((*OURS, "PYTHON"))}
        environment |= {"LIVEWATCH_HOST": "0.0.0.0", "LIVEWATCH_PORT": "0", "LIVEWATCH_HOSTS": "localhost"}
        environment |= {"LIVEWATCH_DATA": str(Path(name) / "data"), "VIRTUAL_ENV": ""}
        app = AppProcess(
            await asyncio.create_subprocess_exec(
                "make",
                "run",
                cwd=clone,
                env=environment,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        )
        try:
            while setup_link(app.lines) is None:
                assert app.process.returncode is None, "\n".join(app.lines[-20:])
                await asyncio.sleep(0.1)
            report("make run has printed the link for the first account")
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=find(), args=FLAGS)
                await closed(*await journey(browser, app, report))
                await browser.close()
        finally:
            os.killpg(app.pid, signal.SIGINT)
            await app.ended()


def main() -> int:
    """Print the steps; returns the exit code."""
    began = time.monotonic()
    asyncio.run(first_colleague(lambda step: print(f"{time.monotonic() - began:6.1f} s  {step}", flush=True)))
    return 0 if time.monotonic() - began < TARGET_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
