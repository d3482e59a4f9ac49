"""A believable organisation with two years of work, the same for the same seed, in a local Supabase."""

import time as clock
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from uuid import UUID, uuid5

from benchmarks.organisation.loading import Connection, copy, loading
from benchmarks.organisation.logs import LOG_COLUMNS, log_rows
from benchmarks.organisation.rows import (
    COLUMNS,
    Place,
    activity_rows,
    agent_rows,
    alert_rows,
    job_rows,
    notification_rows,
    progress_rows,
    scan_rows,
    stream_rows,
)
from benchmarks.organisation.runs import Past, Runs, agents_of, attach, crowd_of, top_level
from benchmarks.organisation.schedule import DAY, DAYS, Incidents, jobs_of
from benchmarks.organisation.words import COLLEAGUES
from services.entities import AGENTS, ALERTS, NOTIFICATIONS, SCANS, STREAMS, Scope

NAMESPACE = UUID("6f1de2a4-7c1b-4a5e-9d3c-6a6b1a0f2c11")
FULL = {
    "streams": 100_000,
    "acquisition_scans": 20_000,
    "agent_executions": 1_000_000,
    "signal_alerts": 100_000,
    "notifications": 20_000,
    "progress_points": 1_000_000,
    "log_lines": 10_000_000,
}
"""Numbers at the scale 1; of alerts by their events, which have a row for each recipient."""
JOBS = {"streams": 280, "scans": 40, "agents": 60}
"""Numbers of jobs at the scale 1; at a smaller one there are relatively more, down to four of each kind."""
TABLES = (*COLUMNS, "log_lines")
SEARCHED = (STREAMS, SCANS, AGENTS, ALERTS, NOTIFICATIONS)
MIN_JOBS = 4
MIN_SCALE = 0.0005


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """What was generated.

    Args:
        id: The organisation.
        crowd: The stream to which a tenth of all agent executions belong.
        members: Its members; the first is an admin and gets half of all alerts.
        until: The end of the two years.
        counts: Rows by table.
        seconds: Seconds that each table took, and `indexes` with statistics.
    """

    id: UUID
    crowd: UUID
    members: Sequence[UUID]
    until: datetime
    counts: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def begin(self) -> float:
        """The beginning of the two years, in seconds since 1970."""
        return self.until.timestamp() - DAYS * DAY


def organisation_of(
    seed: int, scale: float, *, owner: UUID | None = None, until: datetime | None = None
) -> Organisation:
    """Return the ids of an organisation, whether or not it was generated yet; see `generate`."""
    of = f"{seed}/{float(scale)}"
    members = [uuid5(NAMESPACE, f"{of}/{name}") for name in COLLEAGUES]
    return Organisation(
        id=uuid5(NAMESPACE, f"{of}/organisation"),
        crowd=uuid5(NAMESPACE, f"{of}/crowd"),
        members=[owner, *members] if owner else members,
        until=until or datetime.now(UTC),
    )


def generate(
    connection: Connection, scale: float, seed: int, *, owner: UUID | None = None, until: datetime | None = None
) -> Organisation:
    """Fill a new organisation with two years of work.

    Equal arguments, `until` among them, make equal rows, but for the numbers of log lines.

    Args:
        connection: A connection of the superuser (`superuser_url`) that commits each statement, or is in a transaction.
        scale: Size as a part of `FULL`, from `MIN_SCALE` on.
        seed: Seed of all chance.
        owner: A user who becomes the first member; None for colleagues alone, who cannot sign in.
        until: End of the two years; now by default.

    Raises:
        ValueError: The scale is too small, or this database has the organisation already.
    """
    counts = {table: round(scale * count) for table, count in FULL.items()}
    if scale < MIN_SCALE:
        raise ValueError(f"The scale {scale} makes {counts['streams']} streams: use at least {MIN_SCALE}.")
    made = organisation_of(seed, scale, owner=owner, until=until)
    if connection.execute("select id from organizations where id = %s", (made.id,)).fetchone():
        raise ValueError(f"There is an organisation of seed {seed} and scale {scale} already: use another seed.")
    began = clock.perf_counter()
    runs = _runs(seed, scale, counts, made)
    made.seconds["runs in memory"] = clock.perf_counter() - began
    with loading(connection, TABLES):
        _found(connection, made)
        _fill(connection, made, runs, counts, Random(f"{seed}/rows"))
        began = clock.perf_counter()
    after_load(connection)
    made.seconds["indexes and statistics"] = clock.perf_counter() - began
    began = clock.perf_counter()
    make_log_blocks(connection)
    made.seconds["blocks of log lines"] = clock.perf_counter() - began
    return made


def after_load(connection: Connection) -> None:
    """Fill what triggers keep besides the rows that were loaded, since they did not run."""
    # Versions are by the number of the row: later ones are above them.
    connection.execute("""
        select setval('private.row_version', greatest(
            (select last_value from private.row_version),
            (select max(version) from public.activities), (select max(version) from public.agent_executions)))
    """)
    for entity in SEARCHED:
        owner = ", user_id" if entity.scope is Scope.USER else ""
        texts = f"private.{entity.table}_texts"
        statement = (
            f"insert into {texts} (row_id, org_id{owner}, text) "
            f"select id, org_id{owner}, private.folded({entity.listing.searched_sql}) "
            f"from public.{entity.table} as found where not exists (select from {texts} where row_id = found.id)"
        )
        connection.execute(statement.encode())
        connection.execute(f"analyze private.{entity.table}_texts".encode())
    connection.execute("select private.recount_rollups()")
    connection.execute("analyze public.run_rollups")


def make_log_blocks(connection: Connection) -> None:
    """Make the blocks of all lines, as upkeep does over time; none in a transaction, which is not committed yet."""
    # The first call notes the moment from which on the second one knows what is committed.
    connection.execute("select private.make_log_blocks()")
    while (connection.execute("select private.make_log_blocks(500)").fetchone() or [0])[0]:
        pass
    connection.execute("analyze private.log_blocks")


def _runs(seed: int, scale: float, counts: dict[str, int], made: Organisation) -> Runs:
    begin, end = made.begin, made.until.timestamp()
    past = Past(begin=begin, end=end, incidents=Incidents(Random(f"{seed}/incidents"), begin, end))
    jobs = {
        kind: jobs_of(Random(f"{seed}/{kind}"), kind, max(MIN_JOBS, round(count * scale**0.5)), begin, end)
        for kind, count in JOBS.items()
    }
    random = Random(f"{seed}/runs")
    streams = top_level(random, past, jobs["streams"], counts["streams"] - 1)
    crowd = crowd_of(random, past, made.crowd.hex)
    streams = sorted([*streams, crowd], key=lambda run: run.began)
    scans = top_level(random, past, jobs["scans"], counts["acquisition_scans"])
    attach(random, scans, streams)
    agents = agents_of(random, past, jobs["agents"], streams, crowd=crowd, count=counts["agent_executions"])
    return Runs(streams=streams, scans=scans, agents=agents, crowd=crowd)


def _found(connection: Connection, made: Organisation) -> None:
    """Create the organisation, its colleagues, and its choice to keep everything."""
    since = datetime.fromtimestamp(made.begin, UTC)
    connection.execute(
        "insert into organizations (id, name, created_at, updated_at) values (%s, 'Nordlicht Logistik', %s, %s)",
        (made.id, since, since),
    )
    for id, name in zip(reversed(made.members), reversed(COLLEAGUES), strict=False):
        connection.execute(
            "insert into auth.users (instance_id, id, aud, role, email, raw_app_meta_data, raw_user_meta_data,"
            " created_at, updated_at) values (%s, %s, 'authenticated', 'authenticated', %s, '{}', '{}', %s, %s)",
            (UUID(int=0), id, f"{id.hex[:12]}@example.org", since, since),
        )
        connection.execute("insert into profiles (user_id, display_name) values (%s, %s)", (id, name))
    for number, id in enumerate(made.members):
        connection.execute(
            "insert into org_members (org_id, user_id, role, created_at) values (%s, %s, %s, %s)",
            (made.id, id, "operator" if number else "admin", since),
        )
    connection.execute(
        "insert into retention (org_id, runs_days, alerts_days, events_days) values (%s, null, null, null)", (made.id,)
    )


def _fill(connection: Connection, made: Organisation, runs: Runs, counts: dict[str, int], random: Random) -> None:
    key = uuid5(made.id, "key").hex
    place = Place(org=made.id.hex, members=[id.hex for id in made.members], key=key, end=made.until.timestamp())
    tables = {
        "jobs": job_rows(place, runs),
        "streams": stream_rows(random, place, runs.streams),
        "acquisition_scans": scan_rows(random, place, runs.scans),
        "agent_executions": agent_rows(random, place, runs.agents),
        "activities": activity_rows(random, place, runs),
        "progress_points": progress_rows(random, place, runs, counts["progress_points"]),
        "signal_alerts": alert_rows(random, place, made.begin, runs.streams, counts["signal_alerts"]),
        "notifications": notification_rows(random, place, made.begin, counts["notifications"]),
        "log_lines": log_rows(random, place, runs, counts["log_lines"]),
    }
    for table, rows in tables.items():
        began = clock.perf_counter()
        made.counts[table] = copy(connection, table, {**COLUMNS, "log_lines": LOG_COLUMNS}[table], rows)
        made.seconds[table] = clock.perf_counter() - began
