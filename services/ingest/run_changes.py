"""Changes of runs as a key sees them, read from the database in the order of their times, and positions in that order.

A position is a time of the database's clock before which everything has happened: no transaction that was open then is
still open. Thus a follower who was told everything up to a position misses nothing by asking for what came later,
however long a transaction took between the time that it gave a row and its commit.
"""

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from services.errors import IngestRefused
from services.infra.database import Database
from services.ingest.keys import IngestKey
from services.ingest.operations import Code

PAGE_ROWS = 1_000
# A row gets its time shortly before its transaction gets its number, by which open transactions are known.
OVERLAP = timedelta(seconds=5)
# What a process assumes of transactions that were open already when it began to look.
LONGEST_TRANSACTION = timedelta(minutes=10)
DELETIONS_KEPT = timedelta(days=7)
MAX_CHECKPOINTS = 1_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# The time is that of the transaction's begin: what gets its number later has a later time. The next number follows from
# the age of the oldest; the snapshot's upper bound is not it, but the number after the latest that has ended.
_NOW = text("""
    select now() as now, oldest as oldest_open, oldest + age((oldest & 4294967295)::text::xid) as next,
        exists (select from private.readable_orgs()) as may_see
    from (select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as oldest) as snapshot
""")
_BRANCH = """
    (select {columns} from public.{table}
     where org_id = :org and ({at}, id) > (:at, :id) order by {at}, id limit :limit)
"""
_COLUMNS = (
    "'{kind}' as kind, id, slug, {name} as name, {status} as status, {percent} as percent, {done} as done, "
    "{total} as total, {unit} as unit, {step} as step, {error} as error, version, {at} as at, "
    "{is_deleted} as is_deleted"
)


def _branch(table: str, kind: str, **columns: str) -> str:
    nothing = dict.fromkeys(("percent", "done", "total"), "null::double precision")
    texts = dict.fromkeys(("status", "unit", "step", "error"), "null::text")
    values = {**nothing, **texts, "name": "name", "at": "updated_at", "is_deleted": "false", **columns}
    selected = _COLUMNS.format(kind=kind, **values)
    # A deleted run tells its own kind.
    selected = selected.replace("'kind' as kind", "kind")
    return _BRANCH.format(columns=selected, table=table, at=values["at"])


_CHANGES = text(
    "select * from ("
    + " union all ".join(
        (
            _branch(
                "streams",
                "stream",
                status="goal_status",
                percent="case when total > 0 then percentage end",
                done="completed",
                total="nullif(total, 0)",
                unit="unit",
                error="error",
            ),
            _branch(
                "acquisition_scans",
                "scan",
                status="status",
                percent="progress_percentage",
                done="targets_analyzed",
                total="nullif(targets_identified, 0)",
                step="current_step",
                error="error",
            ),
            _branch("agent_executions", "agent", name="agent_name", status="status", error="error"),
            _branch("deleted_runs", "kind", at="deleted_at", is_deleted="true"),
        )
    )
    + ") as change order by at, id limit :limit"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunChange:
    """Current state of a run, or that it was deleted.

    `percent` is None if the run has no progress, `total` if it is unknown, `slug` if a person made the run.
    """

    kind: str
    id: UUID
    slug: str | None
    name: str
    status: str | None
    percent: float | None
    done: float | None
    total: float | None
    unit: str | None
    step: str | None
    error: str | None
    version: int
    at: datetime
    is_deleted: bool

    @property
    def visible_state(self) -> tuple[Any, ...]:
        """Values that a client sees; a heartbeat does not change them."""
        return (self.name, self.status, self.percent, self.done, self.total, self.step, self.error, self.is_deleted)


class Horizon:
    """The latest position, from the snapshots that a reader takes one after the other."""

    def __init__(self) -> None:
        self.position: datetime | None = None
        self._checkpoints: deque[tuple[datetime, int]] = deque()

    def advance(self, now: datetime, oldest_open: int, next: int) -> datetime:
        """Return the position after a snapshot.

        Args:
            now: The database's time.
            oldest_open: Number of the oldest transaction that is open.
            next: Number of the next transaction.
        """
        if self.position is None:
            self.position = now - LONGEST_TRANSACTION
        if len(self._checkpoints) < MAX_CHECKPOINTS:
            self._checkpoints.append((now, next))
        # All transactions below the number have ended, and with them all that were open at that time.
        while self._checkpoints and self._checkpoints[0][1] <= oldest_open:
            self.position = self._checkpoints.popleft()[0]
        return self.position


class RunChanges:
    """Reads changes of runs under the claims of a key."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def advance(self, key: IngestKey, horizon: Horizon) -> tuple[datetime, datetime]:
        """Advance a horizon to the present; returns its position and the present, by the database's clock.

        Raises:
            IngestRefused: The key may not see.
        """
        async with self._database.as_user(key) as session:
            row = (await (await session.connection()).execute(_NOW)).one()
        if not row.may_see:
            raise IngestRefused(Code.BAD_KEY, "This key was revoked; an admin creates keys under Settings.")
        return horizon.advance(row.now, row.oldest_open, row.next), row.now

    async def since(self, key: IngestKey, position: datetime) -> AsyncIterator[list[RunChange]]:
        """Yield what changed since a position, page by page, in the order of time.

        A page ends where it ends: what changes meanwhile comes later, once more if it was told before.
        """
        at, id = position - OVERLAP, UUID(int=0)
        while True:
            values = {"org": key.org_id, "at": at, "id": id, "limit": PAGE_ROWS}
            async with self._database.as_user(key) as session:
                rows = await (await session.connection()).execute(_CHANGES, values)
                changes = [RunChange(**row) for row in rows.mappings()]
            if changes:
                at, id = changes[-1].at, changes[-1].id
                yield changes
            if len(changes) < PAGE_ROWS:
                return


def encode_position(position: datetime) -> str:
    """Return a position as the id of an event: microseconds since 1970."""
    return str((position - EPOCH) // timedelta(microseconds=1))


def decode_position(text: str) -> datetime:
    """Return the position of an event's id; raises IngestRefused if it is none."""
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise IngestRefused(
            Code.INVALID,
            f"Last-Event-ID is {text[:60]!r}: it is no id of an event of this feed. Omit it to begin now.",
            field="Last-Event-ID",
        )
    return EPOCH + timedelta(microseconds=int(text))
