"""Synthetic load for evaluation: streams that change at a chosen rate, labelled synthetic and deleted at the end."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import delete, text
from sqlmodel import col

from services.auth.identity import Identity
from services.entities import AgentExecution, AgentStatus, GoalStatus, Stream
from services.errors import LivewatchError
from services.infra.database import Database
from services.people.organizations import memberships

MAX_PAUSE_SECONDS = 0.1
UNITS_PER_STREAM = 500
STREAM_TYPE = "synthetic load"
REPORT_INTERVAL_SECONDS = 5.0

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

    `run` continues until it is cancelled, and then deletes the synthetic rows. `changes` counts the written changes.
    """

    def __init__(self, database: Database, identity: Identity, org_id: UUID, load: Load) -> None:
        self._database = database
        self._identity = identity
        self._org_id = org_id
        self._load = load
        self._queue: deque[UUID] = deque()
        self._created = 0
        self.changes = 0

    async def run(self, report: Callable[[str], None]) -> None:
        """Write changes at the load's rate; call `report` with the number of changes every 5 s."""
        clock = asyncio.get_running_loop().time
        # One update advances each stream by at most one unit, so that few streams at a high rate need short pauses.
        pause = min(MAX_PAUSE_SECONDS, self._load.streams / self._load.rate / 2)
        try:
            for _ in range(self._load.streams):
                await self._begin()
            report(
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
                    report(f"{self.changes} changes, {self.changes / (reported - began):.0f} per second")
                await asyncio.sleep(pause)
        finally:
            await asyncio.shield(self.clear())

    async def clear(self) -> None:
        """Delete all synthetic streams of the organisation, including those of an earlier load."""
        async with self._database.as_user(self._identity) as session:
            await session.exec(
                delete(Stream).where(col(Stream.org_id) == self._org_id, col(Stream.stream_type) == STREAM_TYPE)
            )

    async def _begin(self) -> None:
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
        run = AgentExecution(
            org_id=self._org_id,
            stream_id=stream.id,
            agent_id="synthetic",
            agent_name=f"Synthetic agent {self._created:04d}",
            status=AgentStatus.RUNNING,
            started_at=datetime.now(UTC),
        )
        async with self._database.as_user(self._identity) as session:
            session.add(stream)
        async with self._database.as_user(self._identity) as session:
            session.add(run)
        self._queue.append(stream.id)
        self.changes += 2

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
        for _ in ended:
            await self._begin()


async def writable_organization(database: Database, identity: Identity) -> UUID:
    """Return the first organisation in which the user may write; raises LivewatchError if there is none."""
    for each in await memberships(database, identity):
        if each.may_write:
            return each.org_id
    raise LivewatchError(f"{identity.email} may not write to any organisation. Ask an admin for the role operator.")
