"""Measures rules that judge by time: the cost of their clocks, and the time from a figure that is due to its firing."""

import asyncio
import json
import statistics
import time
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psutil

from services.rules.engine import RuleEngine
from services.rules.rule import Rule
from services.schedules.watcher import Watcher
from tests.world import Person, World, until

# Of three kinds, with figures of a minute to 30 days; half of a job each, the others of a tag that no run has.
RULES = """
    insert into public.rules (org_id, name, events, definition)
    select %s, 'Rule ' || n, array[(array['overlong', 'behind', 'absent'])[1 + n %% 3]],
        %s::jsonb || jsonb_build_object(
            'times', round((1.1 * power(90, random()))::numeric, 2), 'percent', 1 + n %% 99,
            'after', round(60 * power(43200, random())) || 's', 'absent', round(60 * power(43200, random())) || 's')
        || jsonb_build_object((array['job', 'tag'])[1 + n %% 2], (array['job-', 'tag-'])[1 + n %% 2] || n)
    from generate_series(1, %s) as n
"""
RUNS = """
    insert into public.streams (org_id, name, slug, goal_status, total, completed, attempt_started_at)
    select %s, 'Job ' || n, 'job-' || n, 'in_progress', 100, 50, clock_timestamp() - random() * interval '1 hour'
    from generate_series(1, %s) as n
"""
# So that the watcher finds none of them slow or stalled, which is measured elsewhere.
USUAL = """
    update public.streams set usual_seconds = 3600 + random() * 7200,
        reportable_since = clock_timestamp() + interval '1 day'
    where org_id = %s
"""
DUE = """
    insert into public.streams (org_id, name, slug, goal_status, total, tags, attempt_started_at)
    select %s, 'Due ' || n, 'due-' || n, 'in_progress', 100, array['due'],
        clock_timestamp() - interval '1 minute' + (n * %s::double precision / %s) * interval '1 second'
    from generate_series(1, %s) as n
"""
FIRED = "select subject_id, began_at from public.firings where rule_id = %s"
NUMBER_DUE = 300


async def timed(world: World, org: UUID, ada: Person, *, jobs: int, rules: int, seconds: int) -> None:
    """Print what `rules` rules cost with `jobs` jobs and as many runs, and how soon they fire."""
    definition = Rule.parse({"name": "x", "events": ["failed"], "people": [str(ada.id)]}).definition
    await world.sql("update public.rules set is_enabled = false")
    await world.sql(RUNS, org, jobs)
    await world.sql(USUAL, org)
    await world.sql("analyze")
    started, before = time.perf_counter(), _cpu()
    async with Watcher(world.database):
        await asyncio.sleep(seconds)
        without = _share(before, started)
        await world.sql(RULES, org, json.dumps(definition), rules)
        async with RuleEngine(world.database, address=""):
            started, before = time.perf_counter(), _cpu()
            await until(lambda: _is_set(world), within=60, what="clocks that are set")
            took, cost = time.perf_counter() - started, _cpu() - before
            print(f"clocks of {jobs} runs and {jobs} jobs set in {took:.1f} s, {cost:.1f} s of CPU")
            started, before = time.perf_counter(), _cpu()
            own = psutil.Process().cpu_times()
            await asyncio.sleep(seconds)
            own_share = (sum(psutil.Process().cpu_times()[:2]) - sum(own[:2])) / (time.perf_counter() - started)
            share = _share(before, started)
            print(
                f"{rules} rules, {jobs} runs in progress, {jobs} jobs: app and PostgreSQL {100 * share:.1f} % of a "
                f"core, of it the app {100 * own_share:.1f} %; the watcher alone {100 * without:.1f} %"
            )
            delays = sorted(await _delays(world, org, ada, seconds))
    cuts = statistics.quantiles(delays, n=100, method="inclusive")
    print(
        f"ms from a figure that is due to its firing: n {len(delays)}, p50 {cuts[49]:.0f}, p99 {cuts[98]:.0f}, "
        f"maximum {delays[-1]:.0f}"
    )


async def _delays(world: World, org: UUID, ada: Person, seconds: int) -> list[float]:
    given: dict[str, Any] = {"name": "Due", "events": ["behind"], "people": [str(ada.id)], "pace": "at_once"}
    rule = Rule.parse(given | {"tag": "due", "percent": 50, "after": "1m"})
    [[id]] = await world.sql(
        "insert into public.rules (org_id, name, events, definition) values (%s, 'Due', '{behind}', %s) returning id",
        org, json.dumps(rule.definition),
    )  # fmt: skip
    await until(lambda: _is_set(world), within=60, what="clocks that are set")
    await world.sql(DUE, org, seconds, NUMBER_DUE, NUMBER_DUE)
    seen: dict[UUID, float] = {}
    ends_at = time.monotonic() + seconds + 20
    while len(seen) < NUMBER_DUE and time.monotonic() < ends_at:
        [[now]] = await world.sql("select clock_timestamp()")
        for subject, began in await world.sql(FIRED, id):
            seen.setdefault(subject, _ms(now, began))
        await asyncio.sleep(0.02)
    return list(seen.values())


def _ms(now: datetime, began: datetime) -> float:
    return (now - began - timedelta(minutes=1)).total_seconds() * 1000


async def _is_set(world: World) -> bool:
    # Some become due in each second.
    [[replans, unjudged]] = await world.sql(
        "select (select count(*) from private.rule_replans), "
        "(select count(*) from private.rule_clocks where judged_at is null or changed_from is not null)"
    )
    return not replans and not unjudged


def _share(before: float, started: float) -> float:
    return (_cpu() - before) / (time.perf_counter() - started)


def _cpu() -> float:
    process = psutil.Process()
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times)
