"""Measures rules: `python -m benchmarks.watching.rules [--jobs 10000] [--rules 1000] [--rate 100] [--seconds 60]`.

An organisation with jobs, their schedules and rules, half of them about a job each, has runs that fail; the time from a
failure to the row in the inbox, and the CPU of the engine and of PostgreSQL, are measured. With `--timed` the rules
judge by time as many runs in progress as there are jobs; see `benchmarks.watching.timed`.
"""

import argparse
import asyncio
import json
import platform
import statistics
import tempfile
import time
from pathlib import Path

import psutil
import psycopg

from benchmarks.__main__ import commit
from benchmarks.stage import own_world
from benchmarks.watching.timed import timed
from services.people.models import Role
from services.rules.engine import RuleEngine
from services.rules.rule import Rule
from services.schedules.watcher import Watcher, watch

JOBS = """
    with job as (
        insert into public.jobs (org_id, kind, slug, name)
        select %(org)s, 'streams', 'job-' || n, 'Job ' || n from generate_series(1, %(jobs)s) as n
        returning id, org_id, slug
    )
    insert into public.schedules (org_id, job_id, kind, slug, cron, grace_seconds, check_at)
    select org_id, id, 'streams', slug, '0 2 * * *', 600, clock_timestamp() from job
"""
RULES = """
    insert into public.rules (org_id, name, events, definition)
    select %(org)s, 'Rule ' || n, array['failed'], %(definition)s::jsonb || case when n %% 2 = 0
        then jsonb_build_object('job', 'job-' || n, 'search', 'job ' || n)
        else jsonb_build_object('tag', 'tag-' || n) end
    from generate_series(1, %(rules)s) as n
"""
FAIL = """
    insert into public.streams (org_id, name, slug, goal_status, finished_at, created_at)
    select %(org)s, 'Job ' || n, 'job-' || n || '@' || gen_random_uuid(), 'blocked', clock_timestamp(),
        clock_timestamp()
    from (select 2 * (1 + floor(random() * %(rules)s / 2))::integer as n from generate_series(1, %(count)s)) as chosen
"""
DELAYS = """
    select extract(epoch from told.created_at - fired.at) * 1000 from public.firings as fired
    join lateral (
        select min(created_at) as created_at from public.notifications
        where org_id = fired.org_id and created_at >= fired.at
    ) as told on true
    where fired.org_id = %(org)s
"""
Connection = psycopg.AsyncConnection[tuple[object, ...]]
BATCHES = 10
"""Batches a second, in which events come."""


async def main() -> None:
    """Print figures for docs/BENCHMARKS.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in (("--jobs", 10_000), ("--rules", 1000), ("--rate", 100), ("--seconds", 60)):
        parser.add_argument(name, type=int, default=value)
    parser.add_argument("--timed", action="store_true")
    given = parser.parse_args()
    print(
        f"Commit {commit()}, Python {platform.python_version()}, {psutil.cpu_count()} cores, "
        f"load average {psutil.getloadavg()[0]:.1f} before the start"
    )
    with tempfile.TemporaryDirectory(prefix="livewatch-rules-", ignore_cleanup_errors=True) as name:
        async with own_world(Path(name)) as world:
            org = await world.organization()
            ada = await world.person(org, role=Role.ADMIN)
            definition = Rule.parse(
                {"name": "x", "events": ["failed"], "people": [str(ada.id)], "pace": "at_once"}
            ).definition
            if given.timed:
                await timed(world, org, ada, jobs=given.jobs, rules=given.rules, seconds=given.seconds)
                return
            values = {"org": org, "jobs": given.jobs, "rules": given.rules, "definition": json.dumps(definition)}
            url = world.status.database_url.get_secret_value()
            async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
                await connection.execute(b"update public.rules set is_enabled = false")
                await connection.execute(JOBS.encode(), values)
                await connection.execute(RULES.encode(), values)
                await connection.execute(b"analyze")
                while (found := await watch(world.database)) is not None and found.planned:
                    pass
                before, started = _cpu(), time.perf_counter()
                async with RuleEngine(world.database, address=""), Watcher(world.database):
                    idle = await _use(connection, {**values, "count": 0}, given.seconds // 4)
                    used = await _use(connection, {**values, "count": given.rate // BATCHES}, given.seconds)
                    await asyncio.sleep(3)
                print(f"whole run {time.perf_counter() - started:.0f} s, CPU {_cpu() - before:.1f} s")
                rows = await (await connection.execute(DELAYS.encode(), values)).fetchall()
                told = await (await connection.execute(b"select count(*) from public.notifications")).fetchone()
    delays = sorted(float(row[0]) for row in rows)
    cuts = statistics.quantiles(delays, n=100, method="inclusive")
    print(f"app without events {100 * idle:.1f} % of a core, with {given.rate} a second {100 * used:.1f} %")
    assert told
    print(
        f"fired {len(delays)}, told in {told[0]} messages; ms from the event to the inbox: "
        f"p50 {cuts[49]:.0f}, p99 {cuts[98]:.0f}, maximum {delays[-1]:.0f}"
    )


async def _use(connection: Connection, values: dict[str, object], seconds: int) -> float:
    """Let events come for some seconds; returns the share of a core that this process used."""
    process, started = psutil.Process(), time.perf_counter()
    before = sum(process.cpu_times()[:2])
    for number in range(seconds * BATCHES):
        if values["count"]:
            await connection.execute(FAIL.encode(), values)
        await asyncio.sleep(max(0.0, started + (number + 1) / BATCHES - time.perf_counter()))
    return float(sum(process.cpu_times()[:2]) - before) / (time.perf_counter() - started)


def _cpu() -> float:
    """Return the CPU seconds of this process and of all that descend from it."""
    process = psutil.Process()
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times)


if __name__ == "__main__":
    asyncio.run(main())
