"""Soak: runs faults one after another, measures what the windows claim meanwhile, and compares end and start."""

import asyncio
import math
import random
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

from playwright.async_api import Browser, Page, ViewportSize
from psycopg.conninfo import conninfo_to_dict

from benchmarks.leaks import counts_of
from benchmarks.soak.faults import FAULTS, Fault, Scene
from benchmarks.soak.windows import Windows
from benchmarks.soak.writer import Writer
from tests.app_process import AppProcess, project_settings, running
from tests.proxies import TcpProxy
from tests.world import Person, World, until

WINDOWS = 3
STREAMS = 20
RATE = 20.0
MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 10.0, 30.0
"""From one fault to the next, unless the windows need longer to be equal."""
EQUAL_WITHIN_SECONDS = 15.0
SETTLE_SECONDS = 30.0
RECONNECT_TIMEOUT_SECONDS = 30.0
"""Until the app gives up a disconnected window: longer than the faults between browser and app."""
START_SAMPLES = 5
ALLOWED_MEMORY_GROWTH = 0.10
COUNTED = ("tasks", "sockets", "clients", "windows", "subscriptions", "feeds")
"""Resources of the app that may not grow."""
VIEWPORT: ViewportSize = {"width": 1440, "height": 900}
TOKEN_SECONDS = 100
POOL_SIZE = 8
"""Connections to PostgreSQL that the app keeps (services/infra/database.py)."""
TRACEBACK_LINES = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A fault in seconds: until every window that left "connected" had, oldest value claimed live, until equal again.

    `told` is None if no window left "connected", `equal` if not all windows were equal in time.
    """

    fault: str
    told: float | None
    lie: float
    equal: float | None


@dataclass(eq=False, slots=True, kw_only=True)
class Soak:
    """A running soak; `problems` are the conditions that did not hold so far."""

    scene: Scene
    app: AppProcess
    windows: Windows
    writer: Writer
    writing: asyncio.Task[None]
    before: dict[str, float] = field(default_factory=dict)
    after: dict[str, float] = field(default_factory=dict)
    measurements: list[Measurement] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    async def start(self) -> None:
        """Note the app's resources, the most of some seconds: connections that HTTP clients keep come and go."""

        async def has_no_more_windows() -> bool:
            return (await counts_of(self.app))["clients"] == WINDOWS

        await until(has_no_more_windows, within=SETTLE_SECONDS, what="the pages of the sign-in are forgotten")
        for _ in range(START_SAMPLES):
            counts = await counts_of(self.app)
            self.before = {name: max(value, self.before.get(name, 0.0)) for name, value in counts.items()}
            await asyncio.sleep(1)

    async def suffer(self, name: str, fault: Fault) -> Measurement:
        """Run a fault and wait until all windows equal the database again."""
        began = time.time()
        await fault(self.scene)
        ended = time.time()
        windows = self.windows
        with suppress(AssertionError):
            await until(
                lambda: any(each.at > ended and each.is_equal for each in reversed(windows.samples[-20:])),
                within=EQUAL_WITHIN_SECONDS,
            )
        equal_at = next((each.at for each in windows.samples if each.at > ended and each.is_equal), None)
        told = [min((at for at in losses if at > began), default=None) for losses in windows.losses]
        measured = Measurement(
            fault=name,
            told=max((at - began for at in told if at), default=None),
            lie=max((each.lie for each in windows.samples if each.at > began), default=0.0),
            equal=equal_at - ended if equal_at else None,
        )
        if equal_at is None:
            self.problems.append(f"not equal after: {name}")
        self.measurements.append(measured)
        return measured

    async def run(
        self, names: Iterable[str], chance: random.Random, *, seconds: float = math.inf
    ) -> AsyncIterator[Measurement]:
        """Run faults one after the other with random pauses, for at most some seconds."""
        ends_at = time.monotonic() + seconds
        for name in names:
            pause = chance.uniform(MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS)
            began = time.monotonic()
            yield await self.suffer(name, FAULTS[name])
            if time.monotonic() > ends_at:
                return
            # Some seconds of quiet, too: a fault may show its damage late.
            await asyncio.sleep(max(3.0, began + pause - time.monotonic()))

    async def finish(self) -> None:
        """Stop the writer; compare the windows with the database, and the app's resources with those at the start."""
        self.writing.cancel()
        await until(self._shows_all, within=SETTLE_SECONDS, what="the windows equal the database")
        limits = {name: self.before[name] for name in COUNTED}
        # HTTP connections to Auth are kept: as many as windows once renewed their session at the same time.
        limits["sockets"] += WINDOWS
        with suppress(AssertionError):
            await until(lambda: self._is_within(limits), within=SETTLE_SECONDS)
        limits["memory"] = self.before["memory"] * (1 + ALLOWED_MEMORY_GROWTH)
        # The pool keeps as many as it once needed at the same time, up to its size.
        limits["database connections"] = max(self.before["database connections"], POOL_SIZE)
        self.problems += [
            f"{name}: {self.before[name]:.0f} after the warm-up, {self.after[name]:.0f} at the end"
            for name, limit in limits.items()
            if self.after[name] > limit
        ]
        self.problems += tracebacks(self.app.lines)
        self.problems += [f"in a window: {error}" for error in self.windows.errors]

    async def _shows_all(self) -> bool:
        expected = await self.writer.values()
        return all(values == expected for values in await self.windows.shown())

    async def _is_within(self, limits: dict[str, float]) -> bool:
        self.after = await counts_of(self.app)
        await asyncio.sleep(0.2)
        return all(self.after[name] <= limit for name, limit in limits.items())


@asynccontextmanager
async def soaking(world: World, browser: Browser, folder: Path, *, pace: float = 1.0) -> AsyncIterator[Soak]:
    """Start the app behind its proxies, open the windows, and write.

    Args:
        world: The Supabase to use.
        browser: Browser of the windows, each in a context of its own.
        folder: Data of the app.
        pace: Factor of the faults' durations.
    """
    org = await world.organization("Soak")
    person = await world.person(org)
    rows = await world.sql(
        "insert into streams (org_id, name, total, goal_status) select %s, 'Stream ' || n, 1000000, 'on_track' "
        "from generate_series(1, %s) as n returning id",
        org,
        STREAMS,
    )
    async with AsyncExitStack() as stack:
        paths = {
            "Realtime": await stack.enter_async_context(TcpProxy(world.status.api_url)),
            "PostgreSQL": await stack.enter_async_context(TcpProxy(f"unix://{_socket(world)}")),
        }
        environment = {**project_settings(world.status, folder), "SUPABASE_URL": paths["Realtime"].url}
        environment["DATABASE_URL"] = _database_url(world, paths["PostgreSQL"])
        command = ("-m", "benchmarks.counted_app", "--reconnect-timeout", str(RECONNECT_TIMEOUT_SECONDS * pace))
        app = await stack.enter_async_context(running(environment, command=command))
        paths["browser"] = await stack.enter_async_context(TcpProxy(app.url))
        streams: list[UUID] = [id for (id,) in rows]
        writer = Writer(world.status.database_url.get_secret_value(), streams, rate=RATE)
        pages = []
        for _ in range(WINDOWS):
            context = await browser.new_context(base_url=paths["browser"].url, viewport=VIEWPORT)
            stack.push_async_callback(context.close)
            pages.append(await context.new_page())
            await _enter(pages[-1], person)
        windows = Windows(pages=pages, writer=writer, streams=STREAMS)
        scene = Scene(world=world, app_pid=app.pid, paths=paths, token_seconds=TOKEN_SECONDS, pace=pace)
        tasks = [asyncio.create_task(each.run()) for each in (writer, windows)]
        try:
            yield Soak(scene=scene, app=app, windows=windows, writer=writer, writing=tasks[0])
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _enter(page: Page, person: Person) -> None:
    await page.goto("/sign-in")
    await page.get_by_label("E-mail").fill(person.email)
    await page.get_by_label("Password").fill(person.password)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(lambda url: "/sign-in" not in url)
    await page.goto("/monitoring")
    await page.wait_for_selector('body[data-live="connected"]')


def tracebacks(lines: Sequence[str]) -> list[str]:
    """Return each traceback in a log with what comes before and after it."""
    found, ends_at = [], 0
    for number, line in enumerate(lines):
        if "Traceback" in line and number >= ends_at:
            ends_at = number + TRACEBACK_LINES
            found.append("in the log:\n" + "\n".join(lines[max(0, number - 3) : ends_at]))
    return found


def shuffled(names: Iterable[str], chance: random.Random) -> Iterator[str]:
    """Yield names in random order without end, all of them once before any comes again."""
    while True:
        yield from chance.sample(sorted(names), len(list(names)))


def _socket(world: World) -> Path:
    target = conninfo_to_dict(_app_database_url(world))
    return Path(str(target["host"])) / f".s.PGSQL.{target.get('port', 5432)}"


def _database_url(world: World, proxy: TcpProxy) -> str:
    target = conninfo_to_dict(_app_database_url(world))
    user, password = (quote(str(target[name]), safe="") for name in ("user", "password"))
    return f"postgresql://{user}:{password}@{proxy.url.removeprefix('http://')}/{target['dbname']}"


def _app_database_url(world: World) -> str:
    assert world.status.app_database_url
    return world.status.app_database_url.get_secret_value()
