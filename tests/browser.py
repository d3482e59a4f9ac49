"""Chromium for the tests: the system's, else Playwright's; as a module it installs one if necessary."""

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, Locator
from playwright.async_api import Error as PlaywrightError
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
NO_FRAMES = """
    window.requestAnimationFrame = window.requestIdleCallback = () => 0;
    window.ResizeObserver = class { observe() {} unobserve() {} disconnect() {} };
    HTMLImageElement.prototype.decode = () => new Promise(() => {});
    const animate = Element.prototype.animate;
    Element.prototype.animate = function (...how) {
        const animation = animate.apply(this, how);
        animation.pause();
        return animation;
    };
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(`*, *::before, *::after, *::backdrop {
        animation-play-state: paused !important;
        transition-duration: 1000s !important;
    }`);
    document.adoptedStyleSheets.push(sheet);
"""
"""Init script for a browser that never paints: no animation frames, and motion stays at its start."""
SEE = """(elements) => elements.map((element) => {
    let opacity = 1;
    for (let each = element; each; each = each.parentElement) opacity *= getComputedStyle(each).opacity;
    const { left, top, width, height } = element.getBoundingClientRect();
    const isInside = left >= 0 && top >= 0 && left + width <= innerWidth && top + height <= innerHeight;
    const isThere = width > 0 && height > 0 && getComputedStyle(element).visibility === "visible";
    return { text: element.innerText.trim(), isSeen: isThere && isInside && opacity === 1 };
})"""
"""Page function: returns the text of each element, and whether it is fully visible."""
ADVICE = (
    "No Chromium was found for the browser tests. Install one with your system's package manager "
    "(apt-get install chromium), or with: .venv/bin/python -m playwright install chromium"
)


def find() -> str | None:
    """Return the path of a Chromium, or None."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def install() -> None:
    """Install Chromium: by apt where that works without a prompt, else by Playwright."""
    if shutil.which("apt-get") and os.geteuid() == 0:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-qq"], ["install", "-y", "-qq", "chromium"]):
            subprocess.run(["apt-get", *command], env=environment, check=False, stdout=subprocess.DEVNULL)
    else:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)


async def new_context(browser: Browser, **options: Any) -> BrowserContext:
    """Open a context whose actions and navigations use this machine's deadline; the caller closes it.

    Without motion, unless the options want it: what moves is painted all the time, here by the processor.
    """
    context = await browser.new_context(**{"reduced_motion": "reduce", "service_workers": "block", **options})
    context.set_default_timeout(milliseconds(ACTION_SECONDS))
    return context


async def without_frames(browser: Browser, url: str) -> BrowserContext:
    """Open a context whose pages never get an animation frame, as in a browser that has no time to paint."""
    context = await new_context(browser, base_url=url, viewport={"width": 1440, "height": 900})
    await context.add_init_script(NO_FRAMES)
    return context


async def seen(*locators: Locator) -> list[str]:
    """Return the text of each element; fails if one is transparent, hidden or outside the window."""
    found = [each for locator in locators for each in await locator.evaluate_all(SEE)]
    assert all(each["isSeen"] for each in found), found
    return [each["text"] for each in found]


async def leave(context: BrowserContext) -> None:
    """Reset a context for the next test, but keep its pages and their loaded scripts."""
    for page in context.pages:
        await page.unroute_all()
        while page.url.startswith("http"):
            # The page may be on its way to another one.
            with suppress(PlaywrightError):
                await page.evaluate("localStorage.clear(); sessionStorage.clear()")
                await page.goto("about:blank")
    await context.clear_cookies()


def main() -> int:
    """Ensure that a Chromium is installed; returns exit code 1 if it is not."""
    if find() is None:
        print("Installing Chromium for the browser tests", flush=True)
        install()
    path = find()
    print(f"Browser: {path}" if path else ADVICE, file=sys.stdout if path else sys.stderr, flush=True)
    return 0 if path else 1


if __name__ == "__main__":
    sys.exit(main())
