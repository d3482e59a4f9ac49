"""The SDK and the command line against the real API over a socket: reports become rows in PostgreSQL."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI

from services.infra.rate_limiter import Rate
from services.ingest.administration import revoke_key
from tests.pages.program import Program, a_program, application, served
from tests.sdk.conftest import OURS, SDK
from tests.speed import deadline
from tests.world import World, until

pytestmark = pytest.mark.integration

UPDATES = 2_000


@dataclass
class Place:
    """A served API and the environment of a producer in a new organisation."""

    world: World
    app: FastAPI
    url: str
    program: Program
    environment: dict[str, str]

    async def start(self, *command: str) -> asyncio.subprocess.Process:
        """`python -c CODE`, or `python ARGUMENTS`."""
        arguments = ["-c", command[0]] if len(command) == 1 else command
        inherited = {name: value for name, value in os.environ.items() if name not in OURS}
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            env={**inherited, "PYTHONPATH": str(SDK), **self.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def said(self, *command: str) -> tuple[int | None, str, str]:
        process = await self.start(*command)
        output, errors = await asyncio.wait_for(process.communicate(), deadline(30))
        assert self.program.token not in (output + errors).decode()
        return process.returncode, output.decode(), errors.decode()

    async def rows(self, statement: str) -> list[Any]:
        return await self.world.sql(statement, self.program.org)


@pytest.fixture
async def place(world: World, tmp_path: Path) -> AsyncIterator[Place]:
    app = application(world, world.database, Rate(per_second=10_000, burst=10_000))
    async with served(app) as url, httpx.AsyncClient(base_url=url, timeout=deadline(10)) as http:
        program = await a_program(world, http)
        environment = {
            "LIVEWATCH_URL": url,
            "LIVEWATCH_KEY": program.token,
            "LIVEWATCH_SPOOL": str(tmp_path / "spool.sqlite"),
        }
        yield Place(world, app, url, program, environment)


async def test_runs_loops_agents_alerts_and_logs_of_a_program_are_rows(place: Place) -> None:
    code = """
import logging
import livewatch
logging.getLogger().addHandler(livewatch.LogHandler())
logging.getLogger().setLevel("INFO")
with livewatch.run("Nightly import", steps=["read", "write"], total=3, slug="nightly", metadata={"host": "a"}) as run:
    run.step("read")
    run.advance(2)
    logging.info("read all")
    with livewatch.agent("Reader", input="12 pages", slug="reader") as agent:
        agent.output = "3 of 12"
    livewatch.alert("Row 37", signal="bad row", priority="high")
    run.step("write")
    run.advance()
for _ in livewatch.track(range(1000), "Loop", slug="loop"):
    pass
livewatch.notify("Done", "All of it.", type="success")
raise SystemExit(livewatch.flush(25) is not True)
"""
    assert await place.said(code) == (0, "", "")
    assert await place.rows(
        "select slug, name, goal_status, completed, total, metadata, heartbeat_interval from streams where org_id = %s "
        "order by slug"
    ) == [
        ("loop", "Loop", "completed", 1000, 1000, {}, None),
        ("nightly", "Nightly import", "completed", 3, 3, {"host": "a"}, None),
    ]
    assert await place.rows(
        "select scan.name, status, steps, progress_percentage, stream.slug from acquisition_scans as scan "
        "join streams as stream on stream.id = stream_id where scan.org_id = %s"
    ) == [("Nightly import", "completed", ["read", "write"], 100.0, "nightly")]
    assert await place.rows(
        "select agent_name, status, input_summary, output_summary, stream.slug from agent_executions as agent "
        "join streams as stream on stream.id = stream_id where agent.org_id = %s"
    ) == [("Reader", "completed", "12 pages", "3 of 12", "nightly")]
    assert await place.rows(
        "select user_id, target_name, signal_type, signal_strength, stream.slug from signal_alerts as alert "
        "join streams as stream on stream.id = stream_id where alert.org_id = %s"
    ) == [(place.program.admin.id, "Row 37", "bad row", 75, "nightly")]
    assert await place.rows("select title, message, type from notifications where org_id = %s") == [
        ("Done", "All of it.", "success")
    ]
    assert await place.rows("select level, message from log_lines where org_id = %s") == [("info", "read all")]


async def test_the_command_reports_and_checks_and_follows(place: Place) -> None:
    code, output, _ = await place.said("-m", "livewatch", "check")
    assert (code, output) == (
        0,
        f"{place.url} accepts this key. Organisation: Ours. Scopes: alerts, notifications, runs.\n",
    )
    tail = await place.start("-m", "livewatch", "tail")
    wrapped = "print('[3/4] copied'); import sys; sys.exit('no space left')"
    command = ["-m", "livewatch", "run", "--name", "Backup", "--slug", "backup", "--", sys.executable, "-c", wrapped]
    # The feed is followed only once it is connected: report under new names until a line arrives.
    assert tail.stdout
    reading = asyncio.create_task(tail.stdout.readline())
    for n in range(100):
        assert (await place.said("-m", "livewatch", "progress", f"probe-{n}", "40"))[0] == 0
        done, _ = await asyncio.wait({reading}, timeout=0.2)
        if done:
            break
    assert re.search(r"stream  probe-\d+ +in_progress +40\.0 %", reading.result().decode())
    code, output, errors = await place.said(*command)
    assert (code, output, errors) == (
        1,
        "[3/4] copied\n",
        f"Livewatch: {place.url}/streams/by-slug/backup\nno space left\n",
    )
    assert await place.rows(
        "select name, goal_status, completed, total, split_part(error, E'\\n', 2), metadata -> 'exit_code' "
        "from streams where org_id = %s and slug = 'backup'"
    ) == [("Backup", "blocked", 3, 4, "no space left", 1)]
    assert {row[0] for row in await place.rows("select message from log_lines where org_id = %s")} == {
        "[3/4] copied",
        "no space left",
    }
    while b"Backup" not in (line := await asyncio.wait_for(tail.stdout.readline(), deadline(10))):
        assert b"probe" in line
    assert b"blocked" in line
    await revoke_key(place.world.database, place.program.admin.identity, place.program.key)
    _, complaint = await asyncio.wait_for(tail.communicate(), deadline(10))
    assert tail.returncode == 1
    assert b"This key is unknown, was revoked or has expired." in complaint
    assert (await place.said("-m", "livewatch", "check"))[0] == 1


async def test_updates_of_an_outage_arrive_once_and_in_order_also_after_kill_9(world: World, tmp_path: Path) -> None:
    app = application(world, world.database, Rate(per_second=10_000, burst=10_000))
    async with served(app) as url, httpx.AsyncClient(base_url=url, timeout=deadline(10)) as http:
        program = await a_program(world, http)
    port = int(url.rpartition(":")[2])
    spool = str(tmp_path / "spool.sqlite")
    environment = {"LIVEWATCH_URL": url, "LIVEWATCH_KEY": program.token, "LIVEWATCH_SPOOL": spool}
    place = Place(world, app, url, program, environment)
    code = f'import livewatch\nfor n in range({UPDATES}): livewatch.alert(f"{{n}}")'
    assert (await place.said(code))[0] == 0, "the server is away"

    async def count() -> int:
        return int((await place.rows("select count(*) from signal_alerts where org_id = %s"))[0][0])

    assert await count() == 0
    async with served(app, port=port):
        process = await place.start('import livewatch, time\nlivewatch.alert("mine")\ntime.sleep(60)')
        await until(count, within=15)
        os.kill(process.pid, signal.SIGKILL)
        await process.communicate()
        assert await count() < UPDATES, "it was killed on the way"
        answer = await place.said(
            'import livewatch\nlivewatch.alert("last")\nraise SystemExit(not livewatch.flush(30))'
        )
        assert answer == (0, "", "")
    names = await place.rows("select target_name from signal_alerts where org_id = %s order by version")
    told = [name for (name,) in names if name != "mine"]
    assert told == [*(f"{n}" for n in range(UPDATES)), "last"]


async def test_bars_amounts_and_ends_of_a_program_are_rows(place: Place) -> None:
    code = """
import io
import livewatch
from livewatch.tqdm import tqdm
for epoch in livewatch.track(range(3), "Train", slug="train", unit="epochs"):
    for n in tqdm(range(5), desc=f"epoch {epoch}", unit="B", file=io.StringIO()):
        if epoch == 1 and n == 2:
            break
with livewatch.run("Short", slug="short", total=0.9, steps=["a", "b"], unit="kg") as run:
    run.step("a")
    run.set(float("nan"))
    run.advance(0.3)
    run.advance(0.3)
    run.status("running")
raise SystemExit(livewatch.flush(25) is not True)
"""
    status, output, errors = await place.said(code)
    assert (status, output) == (0, "")
    assert len(errors.splitlines()) == 2, "one warning for each bad value"
    ((bars, count),) = await place.rows("select bars, bar_count from streams where org_id = %s and slug = 'train'")
    assert [(each["name"], each["completed"], each["total"], each["unit"], each["status"]) for each in bars] == [
        ("epoch 0", 5, 5, "B", "completed"),
        ("epoch 1", 2, 5, "B", "stopped"),
        ("epoch 2", 5, 5, "B", "completed"),
    ]
    assert count == 3
    assert await place.rows(
        "select slug, goal_status, completed, total, percentage, unit from streams where org_id = %s order by slug"
    ) == [("short", "completed", 0.6, 0.9, 66.6, "kg"), ("train", "completed", 3, 3, 100, "epochs")]
    assert await place.rows(
        "select status, current_step, progress_percentage from acquisition_scans where org_id = %s"
    ) == [("completed", "a", 66.6)]


async def test_processes_share_a_run_and_a_killed_one_does_not_hold_it_up(place: Place) -> None:
    code = """
import livewatch, os, sys
with livewatch.run("Shared", slug="shared", total=30, steps=["all"]) as run:
    run.step("all")
    for _ in range(10):
        run.advance()
    assert livewatch.flush(25)
    if sys.platform and KILLED:
        os.kill(os.getpid(), 9)
"""
    for is_killed in (True, False, False):
        await place.said(code.replace("KILLED", str(is_killed)))
        ((completed, is_finished),) = await place.rows(
            "select completed, is_finished from streams where org_id = %s and slug = 'shared'"
        )
        assert not is_finished
        if completed == 20:
            await place.world.sql("update private.run_reporters set seen_at = seen_at - interval '1 minute'")
            break
    await place.said(code.replace("KILLED", "False"))
    assert await place.rows(
        "select completed, goal_status, is_finished from streams where org_id = %s and slug = 'shared'"
    ) == [(30, "completed", True)]
    assert await place.rows("select targets_analyzed, status from acquisition_scans where org_id = %s") == [
        (30, "completed")
    ]


async def test_an_outage_does_not_change_when_a_job_ran(place: Place) -> None:
    code = """
import livewatch, time
from livewatch.reporting.process import PROCESS
PROCESS.reporter().worker._transport.request = lambda *_: (_ for _ in ()).throw(OSError("away"))
with livewatch.run("Job", slug="job", total=2) as run:
    run.advance()
    time.sleep(3)
    run.advance()
PROCESS._reporter.worker._transport.close()
PROCESS.close(0.2)
"""
    await place.said(code)
    assert await place.rows("select slug from streams where org_id = %s") == []
    await asyncio.sleep(3)
    await place.said("import livewatch; livewatch.notify('next'); livewatch.flush(25)")
    ((seconds, age),) = await place.rows(
        "select extract(epoch from finished_at - created_at), extract(epoch from clock_timestamp() - finished_at) "
        "from streams where org_id = %s"
    )
    assert 2.5 < float(seconds) < 5
    assert float(age) > 2.5


async def test_a_beginning_that_is_long_on_its_way_neither_shortens_a_run_nor_hides_the_next(place: Place) -> None:
    """Of a first request that takes 1.5 s until it arrives, and further ones that take no time."""
    code = """
import time
import livewatch
from livewatch.reporting.process import PROCESS

transport = PROCESS.reporter().worker._transport
send = transport.request
def slow(*request):
    transport.request = send
    time.sleep(1.5)
    return send(*request)
transport.request = slow
for n in range(3):
    with livewatch.run("Quick", slug="quick", steps=["Read"]) as run:
        run.step("Read")
        with livewatch.agent("Reader", slug="reader"):
            time.sleep(0.4)
"""
    assert await place.said(code) == (0, "", "")
    for table, began, ended in (
        ("streams", "coalesce(attempt_started_at, created_at)", "finished_at"),
        ("acquisition_scans", "started_at", "completed_at"),
        ("agent_executions", "started_at", "completed_at"),
    ):
        seconds = await place.rows(
            f"select extract(epoch from {ended} - {began})::float from {table} where org_id = %s order by number"
        )
        assert len(seconds) == 3, (table, seconds)
        assert all(0.4 <= each < 1.5 for (each,) in seconds), (table, seconds)
    assert all(
        each >= 400 for (each,) in await place.rows("select duration_ms from agent_executions where org_id = %s")
    )


async def test_a_login_is_accepted_as_soon_as_the_hash_of_its_address_is_a_key(place: Place, tmp_path: Path) -> None:
    place.environment |= {
        "LIVEWATCH_URL": "",
        "LIVEWATCH_KEY": "",
        "LIVEWATCH_CONFIG": str(tmp_path / "config" / "config.toml"),
    }
    process = await place.start("-m", "livewatch", "login", place.url, "--name", "Ada & Co", "--no-browser")
    assert process.stderr
    lines = [await asyncio.wait_for(process.stderr.readline(), deadline(30)) for _ in range(3)]
    query = parse_qs(urlsplit(lines[-1].decode().strip()).query)
    await place.world.sql(
        "insert into ingest_keys (org_id, name, public_id, secret_hash) values (%s, %s, %s, decode(%s, 'hex'))",
        place.program.org,
        *(query[name][0] for name in ("name", "id", "hash")),
    )
    output, errors = await asyncio.wait_for(process.communicate(), deadline(30))
    assert (process.returncode, output.decode(), errors) == (0, f"Logged in to Ours at {place.url}.\n", b"")
    code, output_text, _ = await place.said("-m", "livewatch", "whoami")
    assert (code, output_text.splitlines()[:2]) == (0, ["Organisation: Ours", "Key: Ada & Co"])
    assert (await place.said("-m", "livewatch", "notify", "hello"))[0] == 0
    assert await place.rows("select title from notifications where org_id = %s") == [("hello",)]


async def test_the_command_closes_archives_and_deletes(place: Place) -> None:
    for slug in ("kept", "gone"):
        assert await place.said("-m", "livewatch", "progress", slug, "40") == (0, "", "")
    closed = await place.said("-m", "livewatch", "close", "kept", "--error", "host is down")
    assert closed == (0, "Closed the stream kept.\n", "")
    assert (await place.said("-m", "livewatch", "archive", "kept"))[0] == 0
    code, output, errors = await place.said("-m", "livewatch", "delete", "gone", "never", "--yes")
    assert (code, output) == (1, "Deleted the stream gone.\n")
    assert errors == (
        "livewatch: There is no streams/never to delete: check the slug, and whether it was deleted already.\n"
    )
    assert await place.rows(
        "select slug, goal_status, error, archived_at is not null from streams where org_id = %s"
    ) == [("kept", "cancelled", "host is down", True)]
    assert (await place.said("-m", "livewatch", "unarchive", "kept"))[0] == 0
    assert await place.rows("select archived_at from streams where org_id = %s") == [(None,)]
    assert (await place.said("-m", "livewatch", "progress", "kept", "50"))[0] == 0
    assert await place.rows("select slug, number, percentage from streams where org_id = %s order by number") == [
        ("kept@1", 1, 40),
        ("kept", 2, 50),
    ]


async def test_a_job_that_repeats_has_numbered_runs(place: Place) -> None:
    """By name, by a slug that processes share, by a key with attempts, and as a command."""
    code, output, errors = await place.said(
        "-c",
        """
import livewatch
for n in range(2):
    with livewatch.run("Nightly import", total=4) as run:
        run.advance(n + 1)
for n in range(2):
    with livewatch.run("Weekly", slug="weekly", total=4, steps=["read"]) as run:
        run.advance(n + 3)
    run.advance(1)
    if n:
        livewatch.flush()
        run._reporter.put(run.path, {"advance": 1, **run.continuing})  # as a report that comes late
        livewatch.flush()
for attempt in (1, 2):
    with livewatch.run("Backup", key="2026-11-26", attempt=attempt) as run:
        run.advance(attempt)
        if attempt == 1:
            run.fail("disk full")
""",
    )
    assert (code, output) == (0, "")
    (rejection,) = errors.splitlines()
    assert "streams/weekly has finished (completed)" in rejection
    for _ in range(2):
        assert (await place.said("-m", "livewatch", "run", "--quiet", "--name", "Tests", "--", "true"))[0] == 0
    rows = await place.rows(
        "select jobs.slug, number, completed, attempt, goal_status, jsonb_array_length(attempts) "
        "from streams join jobs on jobs.id = job_id where streams.org_id = %s order by jobs.slug, number"
    )
    assert rows == [
        ("backup", 1, 2, 2, "completed", 1),
        ("nightly-import", 1, 1, 1, "completed", 0),
        ("nightly-import", 2, 2, 1, "completed", 0),
        ("tests", 1, 0, 1, "completed", 0),
        ("tests", 2, 0, 1, "completed", 0),
        ("weekly", 1, 3, 1, "completed", 0),
        ("weekly", 2, 4, 1, "completed", 0),
    ]
    scans = await place.rows(
        "select scan.number, stream.number, scan.is_finished from acquisition_scans as scan "
        "join streams as stream on stream.id = scan.stream_id where scan.org_id = %s order by 1"
    )
    assert scans == [(1, 1, True), (2, 2, True)]


async def test_the_loops_of_one_program_know_each_other(place: Place) -> None:
    code = """
import livewatch
for name in ("One", "Two"):
    for _ in livewatch.track(range(2), name):
        pass
raise SystemExit(livewatch.flush(25) is not True)
"""
    assert [*await asyncio.gather(place.said(code), place.said(code))] == [(0, "", "")] * 2
    programs = await place.rows("select array_agg(name order by name) from streams where org_id = %s group by program")
    assert programs == [(["One", "Two"],)] * 2
