"""Finds a Chromium for the tests: the system's, else Playwright's; as a module it installs one if need be."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext
from playwright.sync_api import sync_playwright

from tests.speed import ACTION_SECONDS, milliseconds

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
ADVICE = (
    "No Chromium was found for the browser tests. Install one with your system's package manager "
    "(apt-get install chromium), or with: .venv/bin/python -m playwright install chromium"
)


def find() -> str | None:
    """The path of a Chromium, or None."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def install() -> None:
    """Install one: by apt where that is possible without asking, else by Playwright."""
    if shutil.which("apt-get") and os.geteuid() == 0:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-qq"], ["install", "-y", "-qq", "chromium"]):
            subprocess.run(["apt-get", *command], env=environment, check=False, stdout=subprocess.DEVNULL)
    else:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)


async def new_context(browser: Browser, **options: Any) -> BrowserContext:
    """A context whose actions and navigations have a deadline of this machine's; the caller closes it."""
    context = await browser.new_context(**options)
    context.set_default_timeout(milliseconds(ACTION_SECONDS))
    return context


async def leave(context: BrowserContext) -> None:
    """Make a context as new for the next test, but for its pages and what they loaded."""
    for page in context.pages:
        await page.unroute_all()
        if page.url.startswith("http"):
            await page.evaluate("localStorage.clear(); sessionStorage.clear()")
            await page.goto("about:blank")
    await context.clear_cookies()


def main() -> int:
    """Make sure that there is one; the exit code is 1 when there is not."""
    if find() is None:
        print("Installing Chromium for the browser tests", flush=True)
        install()
    path = find()
    print(f"Browser: {path}" if path else ADVICE, file=sys.stdout if path else sys.stderr, flush=True)
    return 0 if path else 1


if __name__ == "__main__":
    sys.exit(main())
