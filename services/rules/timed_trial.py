"""Timed trial: what time alone would have made of the runs of the last days, as far as their rows tell it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.rules.clocks import clock_times
from services.rules.occurrence import Occurrence
from services.rules.rule import Rule, RuleEvent
from services.rules.saying import as_told

UNKNOWN = {
    RuleEvent.OVERLONG: "Of runs that were tried again or deleted only what is left is known.",
    RuleEvent.BEHIND: "Progress is known to the minute, and not of runs that were tried again or deleted.",
    RuleEvent.ABSENT: "It is not known when schedules were paused, nor of runs that were deleted.",
}
"""What the history cannot tell of an event."""
# Of each kind of run: its table, its start, its end, and whether it goes on.
_TABLES = {
    "streams": (
        "streams",
        "coalesce(run.attempt_started_at, run.created_at)",
        "run.finished_at",
        "run.goal_status in ('in_progress', 'on_track', 'at_risk')",
    ),
    "scans": (
        "acquisition_scans",
        "coalesce(run.attempt_started_at, run.started_at, run.created_at)",
        "run.completed_at",
        "run.status in ('scanning', 'analyzing')",
    ),
    "agents": (
        "agent_executions",
        "coalesce(run.attempt_started_at, run.started_at, run.created_at)",
        "run.completed_at",
        "run.status = 'running'",
    ),
}
_RUNS = " union all ".join(
    f"""
    (select '{table}' as subject_table, run.id, {began} as began, {ended} as ended, run.usual_seconds
     from public.{table} as run
     where run.org_id = :org and run.updated_at > now() - make_interval(days => :days)
         and (run.is_finished or {goes_on}))"""
    for table, began, ended, goes_on in _TABLES.values()
)
_FOUND = """
    select jsonb_build_object(
        'org_id', cast(:org as uuid), 'event', cast(:event as text), 'subject_table', found.subject_table,
        'subject_id', found.id, 'source', found.id, 'at', found.due, 'detail', '{}'::jsonb,
        'row', private.subject_facts(found.subject_table, found.id))
    from found where found.due > now() - make_interval(days => :days) and found.due <= now()
    order by found.due desc limit :limit
"""
_OVERLONG = text(f"""
    with runs as ({_RUNS}), dues as (
        select runs.*, runs.began + make_interval(secs => least(:times * runs.usual_seconds, 1e9)) as due
        from runs where runs.usual_seconds is not null
    ), found as (
        select dues.* from dues where dues.due < coalesce(dues.ended, now())
    ) {_FOUND}
""")
_BEHIND = text(f"""
    with runs as ({_RUNS}), dues as (
        select runs.*, due.at as due from runs
        cross join lateral (
            select runs.began + make_interval(secs => cast(:after as double precision)) as at
            where cast(:after as double precision) is not null
            union all
            select clock from unnest(cast(:clocks as timestamptz[])) as clock where clock > runs.began
        ) as due
        where due.at < coalesce(runs.ended, now()) and due.at > now() - make_interval(days => :days)
    ), found as (
        select distinct on (dues.id) dues.* from dues
        cross join lateral (
            select point.done, point.whole from public.progress_points as point
            where point.subject_id = dues.id and point.at <= dues.due order by point.at desc limit 1
        ) as known
        where known.whole > 0 and known.done / known.whole < :percent / 100
        order by dues.id, dues.due
    ) {_FOUND}
""")
_GAPS = " union all ".join(
    f"""
    (select run.job_id, run.created_at as began, (
        select later.created_at from public.{table} as later
        where later.job_id = run.job_id and later.number > run.number order by later.number limit 1) as next
     from public.{table} as run
     where run.org_id = :org and run.job_id is not null
         and run.created_at between now() - make_interval(days => :days, secs => :absent)
             and now() - make_interval(secs => :absent))"""
    for table, *_ in _TABLES.values()
)
_ABSENT = text(f"""
    with gaps as (
        {_GAPS}
        union all
        select job.id, job.created_at, null from public.jobs as job where job.org_id = :org and job.run_count = 0
    ), found as (
        select 'jobs' as subject_table, gaps.job_id as id, gaps.began + make_interval(secs => :absent) as due
        from gaps
        where (gaps.next is null or gaps.next > gaps.began + make_interval(secs => :absent)) and not exists (
            select from public.schedules as plan where plan.job_id = gaps.job_id and plan.paused_at is not null)
    ) {_FOUND}
""")


async def timed_events(
    connection: AsyncConnection, org_id: UUID, rule: Rule, *, days: int, limit: int
) -> list[Occurrence]:
    """Return what time alone would have made within the last days for a rule, the newest of each event first.

    Args:
        connection: A transaction of the user, whom row-level security shows what they may see.
        org_id: The organisation.
        rule: The rule; what it is for is not looked at.
        days: The days.
        limit: Most of each event.
    """
    now, limits = datetime.now(UTC), rule.limits
    values: dict[str, Any] = {"org": org_id, "days": days, "limit": limit}
    found: list[Occurrence] = []
    statements: Mapping[RuleEvent, tuple[Any, dict[str, Any]]] = {
        RuleEvent.OVERLONG: (_OVERLONG, {"times": limits.times}),
        RuleEvent.BEHIND: (
            _BEHIND,
            {
                "percent": limits.percent,
                "after": limits.after_seconds,
                "clocks": clock_times(rule.zone, limits.clock, now - timedelta(days=days), now) if limits.clock else [],
            },
        ),
        RuleEvent.ABSENT: (_ABSENT, {"absent": limits.absent_seconds}),
    }
    for event, (statement, more) in statements.items():
        if event in rule.events:
            records = await connection.execute(statement, {**values, **more, "event": event.value})
            found += [as_told(Occurrence.of_record(each), rule) for each in records.scalars().all()]
    return found
