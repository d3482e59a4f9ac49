"""Work that nobody does, for evaluation: streams that move at a chosen rate, labelled synthetic, gone at the end."""

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

TICK = 0.1
UNITS = 500
STREAM_TYPE = "synthetic load"
REPORT_INTERVAL = 5.0

_ADVANCE = text("""
    update public.streams set completed = least(completed + 1, total),
        goal_status = case when completed + 1 >= total then 'completed' else 'on_track' end
    where id = any (:ids) returning id, goal_status
""")
_END_RUNS = text("""
    update public.agent_executions set status = 'completed', completed_at = now(),
        duration_ms = extract(epoch from now() - started_at) * 1000, output_summary = 'Synthetic: nothing was done'
    where stream_id = any (:ids) and status = 'running'
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """`rate` changes a second, spread over `streams` streams in turn."""

    rate: float
    streams: int


class SyntheticLoad:
    """Written as a member, under row-level security. `run` goes on until it is cancelled, and then deletes its rows."""

    def __init__(self, database: Database, identity: Identity, org_id: UUID, load: Load) -> None:
        self._database = database
        self._identity = identity
        self._org_id = org_id
        self._load = load
        self._turn: deque[UUID] = deque()
        self._made = 0
        self.changes = 0

    async def run(self, report: Callable[[str], None]) -> None:
        """Write at the rate; `report` is told every few seconds how many changes there were."""
        clock = asyncio.get_running_loop().time
        # Each stream moves by one at a time, so that few streams at a high rate need short pauses.
        pause = min(TICK, self._load.streams / self._load.rate / 2)
        try:
            for _ in range(self._load.streams):
                await self._begin()
            report(
                f"{self._load.streams} synthetic streams move at {self._load.rate:g} changes a second; Ctrl-C ends it"
            )
            began = reported = clock()
            written = 0
            while True:
                due = int((clock() - began) * self._load.rate) - written
                if due > 0:
                    await self._advance(min(due, len(self._turn)))
                    written += due
                if clock() - reported >= REPORT_INTERVAL:
                    reported = clock()
                    report(f"{self.changes} changes, {self.changes / (reported - began):.0f} a second")
                await asyncio.sleep(pause)
        finally:
            await asyncio.shield(self.clear())

    async def clear(self) -> None:
        """Delete every synthetic stream of the organisation, also one that an earlier load left behind."""
        async with self._database.as_user(self._identity) as session:
            await session.exec(
                delete(Stream).where(col(Stream.org_id) == self._org_id, col(Stream.stream_type) == STREAM_TYPE)
            )

    async def _begin(self) -> None:
        self._made += 1
        stream = Stream(
            org_id=self._org_id,
            name=f"Synthetic {self._made:04d}",
            description="Synthetic: no work is done here.",
            stream_type=STREAM_TYPE,
            total=UNITS,
            goal_status=GoalStatus.IN_PROGRESS,
            created_by=self._identity.user_id,
        )
        run = AgentExecution(
            org_id=self._org_id,
            stream_id=stream.id,
            agent_id="synthetic",
            agent_name=f"Synthetic agent {self._made:04d}",
            status=AgentStatus.RUNNING,
            started_at=datetime.now(UTC),
        )
        async with self._database.as_user(self._identity) as session:
            session.add(stream)
        async with self._database.as_user(self._identity) as session:
            session.add(run)
        self._turn.append(stream.id)
        self.changes += 2

    async def _advance(self, count: int) -> None:
        """Move the next `count` streams on by one; those that end make room for new ones."""
        ids = [self._turn.popleft() for _ in range(count)]
        async with self._database.as_user(self._identity) as session:
            connection = await session.connection()
            rows = (await connection.execute(_ADVANCE, {"ids": ids})).all()
            ended = [row.id for row in rows if row.goal_status == GoalStatus.COMPLETED]
            if ended:
                await connection.execute(_END_RUNS, {"ids": ended})
        self.changes += len(rows) + len(ended)
        alive = {row.id for row in rows} - set(ended)
        self._turn.extend(id for id in ids if id in alive)
        for _ in ended:
            await self._begin()


async def writable_organization(database: Database, identity: Identity) -> UUID:
    """The first organisation where the person may write; raises LivewatchError when there is none."""
    for each in await memberships(database, identity):
        if each.may_write:
            return each.org_id
    raise LivewatchError(f"{identity.email} may not write in any organisation; an admin can change the role.")
