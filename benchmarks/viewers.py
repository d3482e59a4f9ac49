"""Benchmark of presence, `python -m benchmarks.viewers`: 200 windows of 50 people in two processes change pages.

Each process runs what presence adds to an app: reports, a feed with a subscription for each window, shared views,
frames and the writes to the sockets. Pages are not built, since that would hide everything else.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
from pydantic import SecretStr

from benchmarks.stage import own_world
from components.elements.viewers.viewers_view import Shows, viewers_cursor
from components.window.frame_scheduler import FrameScheduler, ScheduledFlush
from components.window.frame_transport import encode_frame
from services.auth.client import Tokens
from services.auth.identity import Identity
from services.entities import VIEWERS, Viewers
from services.infra.database import Database
from services.infra.logging import configure
from services.presence.viewer_reports import ViewerReports
from services.presence.windows import Place
from services.realtime import DatabaseSource, Delta, RealtimeService, SupabaseBroadcast
from tests.world import World, until

PROCESSES, WINDOWS, PEOPLE, STREAMS = 2, 200, 50, 100
REST_SECONDS, MOVE_SECONDS = 10.0, 30.0
LIMIT = 1 << 24
LOADS = {
    "who is online": Shows.PEOPLE,
    "and who looks at which row": Shows.ROWS,
    "and where everybody is": Shows.PLACES,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What one process used within a span of time."""

    seconds: float
    cpu: float
    events: int
    frames: int
    bytes: int

    def row(self) -> str:
        per_second = [each / self.seconds for each in (self.events, self.frames, self.bytes / 1024)]
        return (
            f"{self.cpu / self.seconds * 100:>9.2f}% {per_second[0]:>9.1f} {per_second[1]:>9.1f} {per_second[2]:>9.1f}"
        )


HEAD = f"{'':<38} {'of a core':>10} {'events/s':>9} {'frames/s':>9} {'KiB/s':>9}"


async def main() -> None:
    """Run the processes with windows that show more and more of the people online."""
    with tempfile.TemporaryDirectory(prefix="livewatch-bench-") as folder:
        async with own_world(Path(folder)) as world:
            org = await world.organization()
            people = [await world.person(org) for _ in range(PEOPLE)]
            assert world.status.app_database_url
            task: dict[str, Any] = {
                "api_url": world.status.api_url,
                "anon_key": world.status.anon_key.get_secret_value(),
                "database_url": world.status.app_database_url.get_secret_value(),
                "org": str(org),
                "tokens": [each.tokens.access_token.get_secret_value() for each in people],
                "windows": WINDOWS // PROCESSES,
            }
            print(f"{WINDOWS} windows of {PEOPLE} people in {PROCESSES} processes\n{HEAD}")
            for label, shows in LOADS.items():
                await measure(world, label, {**task, "shows": shows})


async def measure(world: World, label: str, task: dict[str, Any]) -> None:
    """Have the processes rest and then move, and print what each of them and the table used."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(await asyncio.start_server(swallow, "127.0.0.1", 0, limit=LIMIT))
        port = server.sockets[0].getsockname()[1]
        children = [
            await stack.enter_async_context(child({**task, "sink": port, "seed": seed})) for seed in range(PROCESSES)
        ]
        await asyncio.gather(*(answer(each) for each in children))
        for what, seconds in (("at rest", REST_SECONDS), ("each changes its page once a second", MOVE_SECONDS)):
            before = await broadcasts(world)
            for each in children:
                assert each.stdin
                each.stdin.write(f"{json.dumps([seconds, what != 'at rest'])}\n".encode())
            found = [Used(**each) for each in await asyncio.gather(*(answer(each) for each in children))]
            sent = (await broadcasts(world) - before) / seconds
            print(f"{label}: {what}")
            for number, used in enumerate(found, 1):
                print(f"{f'  process {number}':<38} {used.row()}")
            delivered = sum(used.events / used.seconds for used in found)
            print(f"  {sent:.1f} broadcasts/s, {delivered:.1f} deliveries/s: {sent + delivered:.1f} messages/s")
        ((size,),) = await world.sql("select max(octet_length(people::text)) from viewers")
        print(f"  largest row: {size / 1024:.1f} KiB")


async def broadcasts(world: World) -> int:
    """Broadcasts that the database has sent for `viewers` so far."""
    ((number,),) = await world.sql("select count(*) from realtime.messages where payload ->> 'table' = 'viewers'")
    return int(number)


async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read what a window is sent, like its browser."""
    while await reader.read(LIMIT):
        pass
    writer.close()


@asynccontextmanager
async def child(task: dict[str, Any]) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a process of the app with its windows."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "benchmarks.viewers", "--child"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin
    process.stdin.write(f"{json.dumps(task)}\n".encode())
    try:
        yield process
    finally:
        process.stdin.close()
        await process.wait()


async def answer(process: asyncio.subprocess.Process) -> dict[str, Any]:
    """Read one answer of a process."""
    assert process.stdout
    found: dict[str, Any] = json.loads(await process.stdout.readline())
    return found


# The child


@dataclass(eq=False, frozen=True, slots=True)
class Member:
    """A subscriber with an access token."""

    identity: Identity


class BenchWindow:
    """One window, without a page: its report, its subscription, its view, its frames and its socket."""

    def __init__(
        self,
        services: "ChildServices",
        user_id: UUID,
        writer: asyncio.StreamWriter,
        *,
        shows: Shows,
    ) -> None:
        self.frames = self.bytes = 0
        self.tracked = services.reports.track(services.org, user_id)
        self._writer = writer
        self._dirty: set[UUID] = set()
        self._is_full = True
        self._schedule = ScheduledFlush(services.scheduler, self._flush)
        self.subscription = services.realtime.subscribe(
            VIEWERS, services.org, session=services.member, on_change=self._changed
        )
        self._view = viewers_cursor(self.subscription, shows)

    def _changed(self, deltas: list[Delta[Viewers]]) -> None:
        if self._view.has_news():
            self._dirty.update(delta.id for delta in deltas)
            self._schedule.schedule()

    def _flush(self) -> None:
        payload = self._view.full() if self._is_full else self._view.patch(self._dirty)
        self._is_full = self._is_full and payload is None
        self._dirty.clear()
        if payload:
            frame = encode_frame([(1, payload)], delay=0.0).encode()
            self._writer.write(frame)
            self.frames += 1
            self.bytes += len(frame)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildServices:
    """What the windows of a process share."""

    org: UUID
    member: Member
    """Who subscribes: the same for all windows, since authorisation is not what is measured."""
    realtime: RealtimeService
    reports: ViewerReports
    scheduler: FrameScheduler


async def run_child() -> None:
    """Open windows, and answer each line of standard input with what was used."""
    configure()  # standard output is for the answers
    reader = asyncio.StreamReader(limit=LIMIT)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    task = json.loads(await reader.readline())
    tokens = [Tokens(access_token=SecretStr(each), refresh_token=SecretStr("")) for each in task["tokens"]]
    members = [Member(each.identity) for each in tokens]
    async with (
        Database(SecretStr(task["database_url"])) as database,
        RealtimeService(
            transport=SupabaseBroadcast(url=task["api_url"], key=SecretStr(task["anon_key"])),
            source=DatabaseSource(database),
        ) as realtime,
        ViewerReports(database) as reports,
    ):
        services = ChildServices(
            org=UUID(task["org"]), member=members[0], realtime=realtime, reports=reports, scheduler=FrameScheduler()
        )
        windows = []
        for number in range(task["windows"]):
            _, writer = await asyncio.open_connection("127.0.0.1", task["sink"])
            window = BenchWindow(
                services, members[number % PEOPLE].identity.user_id, writer, shows=Shows(task["shows"])
            )
            window.tracked.show(place(number))
            window.tracked.arrive()
            windows.append(window)
        await until(lambda: all(window.frames for window in windows), within=60)
        await asyncio.sleep(3)
        print("{}", flush=True)
        chance = random.Random(task["seed"])
        while line := await reader.readline():
            seconds, moves = json.loads(line)
            print(json.dumps(await used_within(services, windows, seconds, chance if moves else None)), flush=True)


async def used_within(
    services: ChildServices, windows: Sequence[BenchWindow], seconds: float, chance: random.Random | None
) -> dict[str, Any]:
    """Move every window to another page once a second, evenly over the second, if there is a `chance`."""
    loop = asyncio.get_running_loop()
    process = psutil.Process()

    def state() -> tuple[float, int, int, int]:
        times: Any = process.cpu_times()
        events = sum(feed.meter.events for feed in services.realtime.feeds())
        frames, sizes = sum(window.frames for window in windows), sum(window.bytes for window in windows)
        return times.user + times.system, events, frames, sizes

    places = [place(number) for number in range(STREAMS)]
    before, began = state(), loop.time()
    moved = 0
    while (now := loop.time()) < began + seconds:
        while chance and moved < (now - began) * len(windows):
            windows[moved % len(windows)].tracked.show(chance.choice(places))
            moved += 1
        await asyncio.sleep(0.02)
    cpu, events, frames, sizes = (after - earlier for after, earlier in zip(state(), before, strict=True))
    return {"seconds": loop.time() - began, "cpu": cpu, "events": events, "frames": frames, "bytes": sizes}


def place(number: int) -> Place:
    """The page of one of the streams."""
    return Place(path=f"/streams/{UUID(int=number)}", title=f"Nightly import {number}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    asyncio.run(run_child() if parser.parse_args().child else main())
