"""A browser on the gallery, which runs in a process of its own."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

ROOT = Path(__file__).parents[2]
START_TIMEOUT = 30
Open = Callable[..., Awaitable[Page]]


@dataclass(frozen=True, slots=True)
class Gallery:
    """A running gallery and the process that serves it."""

    url: str
    process: asyncio.subprocess.Process


@asynccontextmanager
async def running_gallery() -> AsyncIterator[Gallery]:
    """Serve the gallery on a free port until the end of the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pages.gallery", "--port", "0", cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    try:
        url = (await asyncio.wait_for(process.stdout.readline(), START_TIMEOUT)).decode().strip()
        yield Gallery(url.rstrip("/"), process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture(scope="session")
async def gallery() -> AsyncIterator[Gallery]:
    async with running_gallery() as gallery:
        yield gallery


@pytest.fixture
async def open_page(gallery: Gallery, browser: Browser) -> AsyncIterator[Open]:
    """Opens pages of the gallery, and fails the test if one logs an error."""
    pages: list[Page] = []
    errors: list[str] = []

    async def open_page(path: str = "/", *, width: int = 1440, height: int = 900, still: bool = False) -> Page:
        page = await browser.new_page(
            viewport={"width": width, "height": height}, reduced_motion="reduce" if still else "no-preference"
        )
        pages.append(page)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        await page.goto(gallery.url + path)
        return page

    yield open_page
    for page in pages:
        await page.close()
    assert not errors
