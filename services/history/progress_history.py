"""Time series for charts, read from the database as the signed-in user."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.auth.identity import Identity
from services.infra.database import Database

MAX_POINTS = 400
HISTORY_MINUTES = 60

# Of each run the last point of each of `limit` equal time spans, which includes the latest point. Window functions read
# the table once; a join with its own bounds becomes one scan per point when the planner underestimates the number of
# points.
_POINTS = text("""
    select distinct on (subject_id, span) subject_id, at, done, whole
    from (
        select subject_id, at, done, whole, width_bucket(
            extract(epoch from at),
            extract(epoch from min(at) over (partition by subject_id)),
            extract(epoch from max(at) over (partition by subject_id)) + 0.001,
            :limit
        ) as span
        from public.progress_points where subject_id = any(:subjects)
    ) as points
    order by subject_id, span, at desc
""")

# An expression rather than a row of `minutes`, so that the planner sees how few rows are younger.
_SINCE = "date_trunc('minute', now()) - make_interval(mins => :minutes - 1)"
# In two parts, since row-level security lets no index answer a `coalesce`. A run is written when it ends or later, and
# runs are indexed by when they were written.
_RUNS = """
    select started_at as began, completed_at as ended from public.{table}
    where org_id = :org and started_at is not null and updated_at >= {since} and completed_at >= {since}
    union all
    select started_at, 'infinity' from public.{table}
    where org_id = :org and started_at is not null and not is_finished and completed_at is null and {is_running}
"""
_SCANS = _RUNS.format(table="acquisition_scans", since=_SINCE, is_running="status in ('scanning', 'analyzing')")
_AGENTS = _RUNS.format(table="agent_executions", since=_SINCE, is_running="status = 'running'")
_LAST_HOUR = text(f"""
    with minutes as (
        select at, at + interval '1 minute' as until
        from generate_series({_SINCE}, date_trunc('minute', now()), '1 minute') as at
    ),
    steps as materialized (
        select point.subject_id, date_trunc('minute', point.at) as at
        from public.progress_points as point join public.streams as stream on stream.id = point.subject_id
        where point.org_id = :org and point.at >= {_SINCE}
        group by 1, 2
    ),
    scans as materialized ({_SCANS}),
    agents as materialized ({_AGENTS}),
    alerts as materialized (
        select detected_at as began, coalesce(read_at, 'infinity') as ended from public.signal_alerts
        where org_id = :org and user_id = :user and coalesce(read_at, 'infinity') >= {_SINCE}
            and (read_at is not null or status = 'new')
    )
    select
        (select count(*) from steps where steps.at = minutes.at),
        (select count(*) from scans where began < until and ended >= minutes.at),
        (select count(*) from agents where began < until and ended >= minutes.at),
        (select count(*) from alerts where began < until and ended >= until)
    from minutes order by minutes.at
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Progress at one time: `done` of `whole` units."""

    at: datetime
    done: float
    whole: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LastHour:
    """Counts for each minute of the last hour, the current minute last.

    Args:
        active_streams: Streams that made progress in the minute.
        running_scans: Scans that ran in the minute.
        running_agents: Agents that ran in the minute.
        unread_alerts: Alerts that were unread at the end of the minute.
    """

    active_streams: list[int]
    running_scans: list[int]
    running_agents: list[int]
    unread_alerts: list[int]


async def progress_history(database: Database, identity: Identity, subject_id: UUID) -> list[Point]:
    """Read the progress of a stream or scan over its lifetime.

    Returns:
        At most `MAX_POINTS` points, oldest first; empty if the user may not see the run.
    """
    async with database.as_user(identity) as session:
        return (await progress_points(await session.connection(), [subject_id]))[subject_id]


async def progress_points(connection: AsyncConnection, subject_ids: Iterable[UUID]) -> dict[UUID, list[Point]]:
    """Read the progress of streams and scans over their lifetimes: see `progress_history`, for each of them."""
    points: dict[UUID, list[Point]] = {id: [] for id in subject_ids}
    rows = await connection.execute(_POINTS, {"subjects": list(points), "limit": MAX_POINTS - 1})
    for row in rows:
        points[row.subject_id].append(Point(at=row.at, done=row.done, whole=row.whole))
    return points


async def last_hour(database: Database, identity: Identity, org_id: UUID) -> LastHour:
    """Read the last hour of an organisation and of the user's inbox in it; zeros for what the user may not see."""
    async with database.as_user(identity) as session:
        connection = await session.connection()
        rows = await connection.execute(
            _LAST_HOUR, {"org": org_id, "user": identity.user_id, "minutes": HISTORY_MINUTES}
        )
        streams, scans, agents, alerts = (list(column) for column in zip(*rows, strict=True))
    return LastHour(active_streams=streams, running_scans=scans, running_agents=agents, unread_alerts=alerts)
