"""Measures the watcher: `python -m benchmarks.watching [--schedules 10000] [--runs 10000] [--ticks 120]`."""

import argparse
import asyncio
import platform
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil
import psycopg

from benchmarks.__main__ import commit
from benchmarks.history.__main__ import stage
from services.schedules.watcher import INTERVAL_SECONDS, Watcher, watch

PREPARE = """
    with org as (insert into public.organizations (name) values ('Watched') returning id),
    work as (
        insert into public.streams (org_id, name, slug, goal_status, total, completed, heartbeat_at, heartbeat_interval)
        select org.id, 'Run ' || n, 'run-' || n, 'in_progress', 100, 1, clock_timestamp(), 600
        from org, generate_series(1, {runs}) as n returning org_id
    ), job as (
        insert into public.jobs (org_id, kind, slug, name)
        select org.id, 'streams', 'job-' || n, 'Job ' || n from org, generate_series(1, {schedules}) as n
        returning id, org_id, slug
    )
    insert into public.schedules (org_id, job_id, kind, slug, cron, grace_seconds, check_at)
    select org_id, id, 'streams', slug, '0 2 * * *', 600, clock_timestamp() from job
"""
# Nobody stalls while it measures.
NO_STALLS = b"""
    alter table public.streams disable trigger user;
    update public.streams set progress_interval = 600;
    alter table public.streams enable trigger user
"""
SILENCE = """
    update public.streams set heartbeat_at = clock_timestamp() - interval '30 s' + interval '200 ms',
        heartbeat_interval = 10
    where id = (
        select id from public.streams where heartbeat_interval = 600 and not is_finished order by random() limit 1)
    returning id, heartbeat_at + interval '30 s'
"""
MISS = """
    update public.schedules set next_due_at = clock_timestamp() - interval '10 min',
        late_at = clock_timestamp() + interval '200 ms', check_at = clock_timestamp() + interval '200 ms', met_at = null
    where id = (select id from public.schedules where late_since is null order by random() limit 1)
    returning job_id, late_at
"""
FOUND = "select created_at from public.incidents where subject_id = %s and kind = %s and recovered_at is null"


async def main() -> None:
    """Measure, and print figures for docs/BENCHMARKS.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in (("--schedules", 10_000), ("--runs", 10_000), ("--ticks", 120), ("--events", 100)):
        parser.add_argument(name, type=int, default=value)
    given = parser.parse_args()
    print(
        f"Commit {commit()}, Python {platform.python_version()}, {psutil.cpu_count()} cores, "
        f"load average {psutil.getloadavg()[0]:.1f} before the start; {given.schedules} schedules, {given.runs} runs"
    )
    with tempfile.TemporaryDirectory(prefix="livewatch-watching-", ignore_cleanup_errors=True) as name:
        async with stage(Path(name) / "data") as (local, database, _):
            url = local.status.database_url.get_secret_value()
            async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
                statement = PREPARE.format(schedules=given.schedules, runs=given.runs)
                await connection.execute(statement.encode())
                await connection.execute(NO_STALLS)
                await connection.execute(b"analyze")
                started, planned = time.perf_counter(), 0
                while (found := await watch(database)) is not None and found.planned:
                    planned += found.planned
                print(f"planned {planned} schedules in {time.perf_counter() - started:.2f} s")
                times, cpu = [], _cpu()
                for _ in range(given.ticks):
                    before = time.perf_counter()
                    await watch(database)
                    times.append((time.perf_counter() - before) * 1000)
                used = (_cpu() - cpu) / given.ticks
                print(f"a tick without news, ms: {_summary(times)}; CPU of app and PostgreSQL {used * 1000:.1f} ms, "
                      f"{100 * used / INTERVAL_SECONDS:.1f} % of a core at one tick a second")  # fmt: skip
                async with Watcher(database):
                    for kind, cause in (("unreachable", SILENCE), ("late", MISS)):
                        delays = [await _found_after(connection, cause, kind) for _ in range(given.events)]
                        print(f"{kind}, ms from its time to the incident: {_summary(delays)}")


async def _found_after(connection: psycopg.AsyncConnection[tuple[object, ...]], cause: str, kind: str) -> float:
    """Return the milliseconds from the time at which something is so to the commit of its incident."""
    row = await (await connection.execute(cause.encode())).fetchone()
    assert row is not None
    subject, due = row
    assert isinstance(due, datetime)
    while True:
        if await (await connection.execute(FOUND.encode(), (subject, kind))).fetchone():
            return (datetime.now(UTC) - due).total_seconds() * 1000
        await asyncio.sleep(0.005)


def _summary(values: Sequence[float]) -> str:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return f"n = {len(values)}, p50 {cuts[49]:.1f}, p99 {cuts[98]:.1f}, maximum {max(values):.1f}"


def _cpu() -> float:
    """Return the CPU seconds of this process and of all that descend from it."""
    process = psutil.Process()
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times)


if __name__ == "__main__":
    asyncio.run(main())
