"""Synthetic load for evaluation: streams that change at a chosen rate, labelled synthetic and deleted at the end."""

import asyncio
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import delete, func, text
from sqlmodel import col, select

from services.auth.identity import Identity
from services.entities import AgentExecution, AgentStatus, GoalStatus, Stream
from services.errors import LivewatchError
from services.infra.database import Database
from services.infra.postgres.batches import BatchSize
from services.operations.progress_line import ProgressLine
from services.people.organizations import memberships

MAX_PAUSE_SECONDS = 0.1
UNITS_PER_STREAM = 500
STREAM_TYPE = "synthetic load"
REPORT_INTERVAL_SECONDS = 5.0
BATCH_ROWS = 100

_ADVANCE = text("""
    update public.streams set completed = least(completed + 1, total),
        goal_status = case when completed + 1 >= total then 'completed' else 'on_track' end
    where id = any (:ids) returning id, goal_status
""")
_END_RUNS = text("""
    update public.agent_executions set status = 'completed', completed_at = now(),
        duration_ms = extract(epoch from now() - started_at) * 1000, output_summary = 'Synthetic: no work was done'
    where stream_id = any (:ids) and status = 'running'
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A load of `rate` changes per second, distributed round-robin over `streams` streams."""

    rate: float
    streams: int


class SyntheticLoad:
    """Writes a load as a member, under row-level security.

    Call `clear` before `run`, which continues until it is cancelled, and after it. `changes` counts the written
    changes.

    Args:
        database: Where the load is written.
        identity: The member.
        org_id: The organisation.
        load: Rate and number of streams.
        progress: Shows how far it is.
    """

    def __init__(
        self, database: Database, identity: Identity, org_id: UUID, load: Load, *, progress: ProgressLine
    ) -> None:
        self._database = database
        self._identity = identity
        self._org_id = org_id
        self._load = load
        self._progress = progress
        self._queue: deque[UUID] = deque()
        self._created = 0
        self.changes = 0

    async def run(self) -> None:
        """Write changes at the load's rate; show their number every 5 s."""
        clock = asyncio.get_running_loop().time
        # One update advances each stream by at most one unit, so that few streams at a high rate need short pauses.
        pause = min(MAX_PAUSE_SECONDS, self._load.streams / self._load.rate / 2)
        while self._created < self._load.streams:
            await self._begin(min(BATCH_ROWS, self._load.streams - self._created))
            self._progress.show(f"Creating synthetic streams: {self._created:,} of {self._load.streams:,}")
        self._progress.print(
            f"Writing {self._load.rate:g} changes per second to {self._load.streams} synthetic streams; "
            "press Ctrl-C to stop"
        )
        began = reported = clock()
        written = 0
        while True:
            due = int((clock() - began) * self._load.rate) - written
            if due > 0:
                await self._advance(min(due, len(self._queue)))
                written += due
            if clock() - reported >= REPORT_INTERVAL_SECONDS:
                reported = clock()
                self._progress.print(f"{self.changes} changes, {self.changes / (reported - began):.0f} per second")
            await asyncio.sleep(pause)

    async def clear(self) -> int:
        """Delete all synthetic streams of the organisation in batches, those of an earlier load, too.

        Returns:
            The number of deleted streams.

        Raises:
            LivewatchError: Some are left; the message says how many were deleted, and why no more.
        """
        mine = (col(Stream.org_id) == self._org_id, col(Stream.stream_type) == STREAM_TYPE)
        deleted = total = 0

        async def delete_some(rows: int) -> int:
            chosen = select(Stream.id).where(*mine).limit(rows)
            async with self._database.as_user(self._identity) as session:
                return int((await session.exec(delete(Stream).where(col(Stream.id).in_(chosen)))).rowcount)

        size = BatchSize(BATCH_ROWS)
        try:
            async with self._database.as_user(self._identity) as session:
                total = (await session.exec(select(func.count()).select_from(Stream).where(*mine))).one()
            while count := await size.run(delete_some):
                deleted += count
                self._progress.show(f"Deleting synthetic streams: {deleted:,} of {max(total, deleted):,}")
        except LivewatchError as error:
            done = f"{deleted:,} of {total:,} synthetic streams were deleted, then it stopped"
            raise LivewatchError(
                f"{done if total else 'The synthetic streams were not deleted'}: {error} "
                "The next start of this command deletes what is left."
            ) from error
        return deleted

    async def _begin(self, count: int) -> None:
        """Create streams, each with a run of an agent."""
        streams, runs = [], []
        for _ in range(count):
            self._created += 1
            stream = Stream(
                org_id=self._org_id,
                name=f"Synthetic {self._created:04d}",
                description="Synthetic: no work is done here.",
                stream_type=STREAM_TYPE,
                total=UNITS_PER_STREAM,
                goal_status=GoalStatus.IN_PROGRESS,
                created_by=self._identity.user_id,
            )
            streams.append(stream)
            runs.append(
                AgentExecution(
                    org_id=self._org_id,
                    stream_id=stream.id,
                    agent_id="synthetic",
                    agent_name=f"Synthetic agent {self._created:04d}",
                    status=AgentStatus.RUNNING,
                    started_at=datetime.now(UTC),
                )
            )
        ids = [stream.id for stream in streams]
        async with self._database.as_user(self._identity) as session:
            session.add_all(streams)
        async with self._database.as_user(self._identity) as session:
            session.add_all(runs)
        self._queue.extend(ids)
        self.changes += 2 * count

    async def _advance(self, count: int) -> None:
        """Advance the next `count` streams by one unit; replace those that complete by new streams."""
        ids = [self._queue.popleft() for _ in range(count)]
        async with self._database.as_user(self._identity) as session:
            connection = await session.connection()
            rows = (await connection.execute(_ADVANCE, {"ids": ids})).all()
            ended = [row.id for row in rows if row.goal_status == GoalStatus.COMPLETED]
            if ended:
                await connection.execute(_END_RUNS, {"ids": ended})
        self.changes += len(rows) + len(ended)
        alive = {row.id for row in rows} - set(ended)
        self._queue.extend(id for id in ids if id in alive)
        if ended:
            await self._begin(len(ended))


async def writable_organization(database: Database, identity: Identity) -> UUID:
    """Return the first organisation in which the user may write; raises LivewatchError if there is none."""
    for each in await memberships(database, identity):
        if each.may_write:
            return each.org_id
    raise LivewatchError(f"{identity.email} may not write to any organisation. Ask an admin for the role operator.")
