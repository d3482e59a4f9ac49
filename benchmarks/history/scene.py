"""Who reads history, and what a named query is."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from benchmarks.organisation import Organisation
from services.auth.identity import Identity
from services.entities import ALERTS, Entity, Topic
from services.infra.database import Database
from services.ingest.keys import IngestKey
from services.realtime.source import DatabaseSource

_BUSIEST_JOB = text("""
    select slug from public.jobs where org_id = :org and kind = 'streams' order by run_count desc, slug limit 1
""")
_SLOWEST_RUNS = text("""
    select run.id from public.streams as run where run.job_id = (
        select job_id from public.streams where org_id = :org and number > 6 and usual_seconds is not null
        order by usual_seconds desc, id limit 1
    )
    order by run.number desc limit 6
""")
_LONGEST_LOG = text("""
    select run_id from public.log_lines
    where org_id = :org and at >= cast(:until as timestamptz) - interval '60 days' and at < :until
    group by run_id order by count(*) desc, run_id limit 1
""")
_OLD_STREAM = text("""
    select created_at, id from public.streams where org_id = :org
        and created_at < cast(:until as timestamptz) - interval '1 year' order by created_at desc limit 1
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Who reads, and what there is to read.

    Args:
        database: Where to read.
        identity: A member, the first of the organisation.
        key: A key with the scope `read`.
        organisation: Whose history.
        job: Slug of the job of streams with the most runs.
        runs: The six latest runs of the job of streams that takes the longest, the newest first.
        long_log: The run with the longest log of the last two months.
        old_row: Creation and id of a stream that is a year old.
    """

    database: Database
    identity: Identity
    key: IngestKey
    organisation: Organisation
    job: str
    runs: tuple[UUID, ...]
    long_log: UUID
    old_row: tuple[datetime, UUID]

    @property
    def org(self) -> UUID:
        """The organisation."""
        return self.organisation.id

    @property
    def source(self) -> DatabaseSource:
        """What feeds read from."""
        return DatabaseSource(self.database)

    def topic(self, entity: Entity[Any]) -> Topic:
        """Return the topic of an entity for the member."""
        return entity.topic(self.org if entity is not ALERTS else self.identity.user_id)


Read = Callable[[Scene], Awaitable[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One query: `does` is what a person or a program does, `read` returns the number of rows.

    `finds` is False where nothing is to be found.
    """

    name: str
    does: str
    read: Read
    finds: bool = True


async def set_scene(database: Database, identity: Identity, key: IngestKey, organisation: Organisation) -> Scene:
    """Choose the rows that are asked for: those for which the most is to be read."""
    async with database.as_user(identity) as session:
        connection = await session.connection()
        values = {"org": organisation.id, "until": organisation.until}
        job = (await connection.execute(_BUSIEST_JOB, values)).scalar_one()
        runs = tuple((await connection.execute(_SLOWEST_RUNS, values)).scalars())
        long_log = (await connection.execute(_LONGEST_LOG, values)).scalar_one()
        old = (await connection.execute(_OLD_STREAM, values)).one()
    return Scene(
        database=database,
        identity=identity,
        key=key,
        organisation=organisation,
        job=job,
        runs=runs,
        long_log=long_log,
        old_row=(old.created_at, old.id),
    )
