"""Closed windows and navigation leave no resources behind in the app."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from benchmarks.leaks import PATHS, counts_of, open_and_close
from benchmarks.simulated_window import SimulatedWindow
from components.window.registry import MAX_PREPARED, MAX_UNATTACHED, MIN_WAIT
from tests.app_process import AppProcess, project_settings, running
from tests.speed import deadline
from tests.world import World, until

pytestmark = pytest.mark.integration
WINDOWS = 5
MAX_ELEMENTS = 55
MAX_OBJECTS = 2300
"""Elements, and objects that the garbage collector knows, of one window of the list of streams."""
OURS = ("clients", "windows", "livebindings", "subscriptions", "elements")


@asynccontextmanager
async def counted(world: World, folder: Path) -> AsyncIterator[tuple[AppProcess, httpx.AsyncClient]]:
    """Run an app that counts its objects, and sign in there."""
    person = await world.person(await world.organization())
    async with (
        running(project_settings(world.status, folder), command=("-m", "benchmarks.counted_app")) as app,
        httpx.AsyncClient(base_url=app.url, timeout=deadline(10)) as http,
    ):
        await http.post("/session", data={"email": person.email, "password": person.password})
        yield app, http


async def test_windows_that_close_and_pages_that_are_left_leave_nothing_behind(world: World, tmp_path: Path) -> None:
    async with counted(world, tmp_path) as (app, http):
        async with SimulatedWindow(http, PATHS[0]) as window:
            await window.until_live()
            before = await counts_of(app)
            for path in (*PATHS[1:], PATHS[0]):
                await window.go(path)

            async def is_as_before() -> bool:
                after = await counts_of(app)
                return all(after[name] == before[name] for name in OURS)

            await until(is_as_before, what="a window that went round has what it had")
        await open_and_close(http, PATHS, 16)

        async def is_empty() -> bool:
            left = await counts_of(app)
            return not any(left[name] for name in (*OURS, "tab storages"))

        await until(is_empty, within=20, what="nothing is left of any window")


async def test_pages_that_no_browser_comes_for_are_few(world: World, tmp_path: Path) -> None:
    async with counted(world, tmp_path) as (app, http), SimulatedWindow(http, PATHS[0]) as window:
        await window.until_live()
        subscriptions = (await counts_of(app))["subscriptions"]
        for _ in range(3 * MAX_UNATTACHED):
            assert (await http.get("/monitoring")).status_code == 200

        async def are_few() -> bool:
            # Pages that are asked for faster than this are more than may wait, each for the time that it has.
            await asyncio.sleep(MIN_WAIT.total_seconds() / MAX_UNATTACHED)
            await http.get("/monitoring")
            return (await counts_of(app))["windows"] <= MAX_UNATTACHED + 2

        await until(are_few, within=20, what="old pages make room")
        assert (await counts_of(app))["subscriptions"] <= subscriptions * (1 + MAX_PREPARED)
        await window.go("/alerts")  # the one with a browser is still there
        async with SimulatedWindow(http, PATHS[0]) as late:
            await late.until_live()


async def test_a_window_takes_few_elements_and_objects(world: World, tmp_path: Path) -> None:
    """What a window takes of memory is mostly its elements, of 2 KB each; see docs/BENCHMARKS.md."""
    async with counted(world, tmp_path) as (app, http), AsyncExitStack() as stack:
        counts = []
        for _ in range(3):
            for _ in range(WINDOWS):
                window = await stack.enter_async_context(SimulatedWindow(http, "/monitoring"))
                await window.until_live()
            counts.append(await counts_of(app))
        _, before, after = counts
        assert (after["elements"] - before["elements"]) / WINDOWS <= MAX_ELEMENTS
        assert (after["objects"] - before["objects"]) / WINDOWS <= MAX_OBJECTS
