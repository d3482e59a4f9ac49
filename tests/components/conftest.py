"""Fixtures: a browser on the gallery, which runs in a separate process, and windows without a browser."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from nicegui import Client, core
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, WebError

from services.realtime import DatabaseSource, RealtimeService, SupabaseBroadcast
from tests.browser import leave, new_context
from tests.components.desk import Desk, answer, close_windows, desk_of
from tests.proxies import TcpProxy
from tests.speed import deadline
from tests.world import World

ROOT = Path(__file__).parents[2]
START_TIMEOUT = 30
Open = Callable[..., Awaitable[Page]]


@dataclass(frozen=True, slots=True)
class Gallery:
    """Running gallery and its process."""

    url: str
    process: asyncio.subprocess.Process


@asynccontextmanager
async def running_gallery() -> AsyncIterator[Gallery]:
    """Serve the gallery on a free port until the block ends; fails if it printed an error."""
    command = (sys.executable, "-m", "pages.gallery", "--port", "0")
    with tempfile.TemporaryFile("w+") as errors:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=errors
        )
        assert process.stdout
        try:
            url = (await asyncio.wait_for(process.stdout.readline(), deadline(START_TIMEOUT))).decode().strip()
            yield Gallery(url.rstrip("/"), process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
        errors.seek(0)
        printed = errors.read()
    assert not printed, printed


@pytest.fixture(scope="session")
async def gallery() -> AsyncIterator[Gallery]:
    async with running_gallery() as gallery:
        yield gallery


@pytest.fixture(scope="session")
async def context(gallery: Gallery, browser: Browser) -> AsyncIterator[BrowserContext]:
    """Yield one context for all tests, with its pages, because reloading the app's scripts is most of a test's cost."""
    context = await new_context(browser, base_url=gallery.url)
    yield context
    await context.close()


@pytest.fixture
async def open_page(context: BrowserContext) -> AsyncIterator[Open]:
    """Yield a function that opens pages of the gallery; fails the test if a page logs an error."""
    spare = list(context.pages)
    errors: list[str] = []

    def failed(error: WebError) -> None:
        errors.append(str(error.error))

    def logged(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(message.text)

    context.on("weberror", failed)
    context.on("console", logged)

    async def open_page(path: str = "/", *, width: int = 1440, height: int = 900, moving: bool = False) -> Page:
        # Motion is painted all the time, by the processor: only for tests of what moves.
        page = spare.pop() if spare else await context.new_page()
        await page.bring_to_front()
        await page.set_viewport_size({"width": width, "height": height})
        await page.emulate_media(reduced_motion="no-preference" if moving else "reduce")
        await page.goto(path)
        return page

    yield open_page
    context.remove_listener("weberror", failed)
    context.remove_listener("console", logged)
    await leave(context)
    assert not errors


@pytest.fixture
async def nicegui(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Set up NiceGUI for elements only: no server, and no client that outlives the test."""
    monkeypatch.setattr("components.window.window.send_frame", answer)
    monkeypatch.setattr(core, "loop", asyncio.get_running_loop())
    before = set(Client.instances)
    yield
    assert set(Client.instances) == before


@pytest.fixture
async def desk(world: World, proxy: TcpProxy, nicegui: None) -> AsyncIterator[Desk]:
    transport = SupabaseBroadcast(url=proxy.url, key=world.status.anon_key)
    async with RealtimeService(transport=transport, source=DatabaseSource(world.database), linger=0.2) as service:
        desk = await desk_of(world, service)
        yield desk
        close_windows(desk)
