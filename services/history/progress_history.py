"""What was, for charts: read once from the database, as the person who looks."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from services.auth.identity import Identity
from services.infra.database import Database

MAX_POINTS = 400
MINUTES = 60

# The last point of each of `most` equal spans of time, and so the very last. The table is read once, by windows: joined
# with its own bounds it would be read once a point, whenever PostgreSQL takes the points for few.
_POINTS = text("""
    select distinct on (span) at, done, whole
    from (
        select at, done, whole, width_bucket(
            extract(epoch from at),
            extract(epoch from min(at) over ()),
            extract(epoch from max(at) over ()) + 0.001,
            :most
        ) as span
        from public.progress_points where subject_id = :subject
    ) as points
    order by span, at desc
""")

_LAST_HOUR = text("""
    with minutes as (
        select at, at + interval '1 minute' as until
        from generate_series(
            date_trunc('minute', now()) - make_interval(mins => :minutes - 1), date_trunc('minute', now()), '1 minute'
        ) as at
    ),
    since as (select min(at) as at from minutes),
    steps as materialized (
        select point.subject_id, date_trunc('minute', point.at) as at
        from public.progress_points as point join public.streams as stream on stream.id = point.subject_id
        where point.org_id = :org and point.at >= (select at from since)
        group by 1, 2
    ),
    scans as materialized (
        select started_at as began, coalesce(completed_at, 'infinity') as ended from public.acquisition_scans
        where org_id = :org and started_at is not null
            and coalesce(completed_at, 'infinity') >= (select at from since)
            and (completed_at is not null or status in ('scanning', 'analyzing'))
    ),
    agents as materialized (
        select started_at as began, coalesce(completed_at, 'infinity') as ended from public.agent_executions
        where org_id = :org and started_at is not null
            and coalesce(completed_at, 'infinity') >= (select at from since)
            and (completed_at is not null or status = 'running')
    ),
    alerts as materialized (
        select detected_at as began, coalesce(read_at, 'infinity') as ended from public.signal_alerts
        where org_id = :org and user_id = :user and coalesce(read_at, 'infinity') >= (select at from since)
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
    """`done` of `whole` units at a time."""

    at: datetime
    done: float
    whole: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LastHour:
    """A number for each minute of the last hour, the present one last.

    The streams that made progress, the scans and agents that ran in that minute, and the alerts unread at its end.
    """

    active_streams: list[int]
    running_scans: list[int]
    running_agents: list[int]
    unread_alerts: list[int]


async def progress_history(database: Database, identity: Identity, subject_id: UUID) -> list[Point]:
    """The progress of a stream or scan over its life, at most 400 points; none when it cannot be seen."""
    async with database.as_user(identity) as session:
        connection = await session.connection()
        rows = await connection.execute(_POINTS, {"subject": subject_id, "most": MAX_POINTS - 1})
        return [Point(at=row.at, done=row.done, whole=row.whole) for row in rows]


async def last_hour(database: Database, identity: Identity, org_id: UUID) -> LastHour:
    """What went on in an organisation, and in the person's own inbox there; zeros where they may not look."""
    async with database.as_user(identity) as session:
        connection = await session.connection()
        rows = await connection.execute(_LAST_HOUR, {"org": org_id, "user": identity.user_id, "minutes": MINUTES})
        streams, scans, agents, alerts = (list(column) for column in zip(*rows, strict=True))
    return LastHour(active_streams=streams, running_scans=scans, running_agents=agents, unread_alerts=alerts)
