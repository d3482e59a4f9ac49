"""What programs that follow an organisation's runs are told: its changes, read as their key.

The feeds of windows run under people's tokens, which a key has not, and Realtime knows no keys. So the rows are read:
once a second, for all who follow with one key together, in a transaction under that key's own claims. So row-level
security decides what it sees: what was reported over the API in its organisation. Nothing is read while nobody follows.
An update that is committed more than five seconds after it was made may be missed; no report takes that long.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

import structlog
from sqlalchemy import text

from services.errors import DatabaseUnavailable, IngestRefused, LivewatchError
from services.infra.database import Database
from services.ingest.keys import IngestKey
from services.ingest.operations import Code, KeyScope

logger = structlog.get_logger(__name__)

INTERVAL = 1.0
# Rows are stamped before they are committed: what is read reaches back so far, and what was told is not told again.
OVERLAP = timedelta(seconds=5)
MAX_TAILS = 20
MAX_ROWS = 5_000
MAX_REMEMBERED = 20_000

_NOW = text("select clock_timestamp(), exists (select from private.ingest_orgs('runs'))")
_CHANGES = text("""
    select * from (
        select 'stream' as kind, id, slug, name, goal_status as status,
            case when total > 0 then percentage end as percent, completed as done,
            nullif(total, 0) as total, null as step, error, version, updated_at as at
        from public.streams where org_id = :org and slug is not null and updated_at > :since
        union all
        select 'scan', id, slug, name, status, progress_percentage, targets_analyzed, nullif(targets_identified, 0),
            current_step, error, version, updated_at
        from public.acquisition_scans where org_id = :org and slug is not null and updated_at > :since
        union all
        select 'agent', id, slug, agent_name, status, null, null, null, null, error, version, updated_at
        from public.agent_executions where org_id = :org and slug is not null and updated_at > :since
        order by version desc limit :most
    ) as change order by version
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunChange:
    """A run as it is now. `percent` is None where nothing is counted; `total` where it is not known."""

    kind: str
    id: UUID
    slug: str
    name: str
    status: str
    percent: float | None
    done: int | None
    total: int | None
    step: str | None
    error: str | None
    version: int
    at: datetime

    @property
    def told(self) -> tuple[Any, ...]:
        """What of it somebody sees; a heartbeat changes nothing of that."""
        return (self.name, self.status, self.percent, self.done, self.total, self.step, self.error)


class EventStream:
    """What one program has not been told yet: of each run the newest, so that a slow one holds up nobody."""

    def __init__(self) -> None:
        self._pending: dict[UUID, RunChange] = {}
        self._news = asyncio.Event()
        self._listening = asyncio.Event()
        self.has_ended = False

    async def listening(self) -> None:
        """Wait until no change is missed from now on, or the tail has ended."""
        await self._listening.wait()

    async def next(self, *, within: float) -> list[RunChange]:
        """The changes since the last call, oldest first, waiting so many seconds for one; none when there was none."""
        try:
            await asyncio.wait_for(self._news.wait(), within)
        except TimeoutError:
            return []
        if not self.has_ended:
            self._news.clear()
        changes, self._pending = list(self._pending.values()), {}
        return changes

    def take(self, change: RunChange) -> None:
        """Tell of a change."""
        self._pending.pop(change.id, None)
        self._pending[change.id] = change
        self._news.set()

    def listen(self) -> None:
        """From now on no change is missed."""
        self._listening.set()

    def end(self) -> None:
        """Nothing comes any more; idempotent."""
        self.has_ended = True
        self._listening.set()
        self._news.set()


class EventStreamHub:
    """Who follows what; `end` ends all of them, `aclose` also waits for the readers."""

    def __init__(self, database: Database, *, interval: float = INTERVAL) -> None:
        self._database = database
        self._interval = interval
        self._tails: dict[UUID, list[EventStream]] = {}
        self._readers: dict[UUID, asyncio.Task[None]] = {}
        self._has_ended = False

    def authenticate(self, key: IngestKey) -> None:
        """Whether the key may follow now; raises IngestRefused."""
        if KeyScope.RUNS not in key.scopes:
            raise IngestRefused(
                Code.SCOPE,
                "This key may not follow runs: it lacks the scope 'runs'. An admin makes one under Settings.",
            )
        if self._has_ended:
            raise IngestRefused(Code.UNAVAILABLE, "This server is stopping; ask again.", retry_after=2.0)
        if len(self._tails.get(key.id, ())) >= MAX_TAILS:
            raise IngestRefused(
                Code.RATE, f"{MAX_TAILS} programs follow with this key already; end one of them.", retry_after=10.0
            )

    @contextmanager
    def follow(self, key: IngestKey) -> Iterator[EventStream]:
        """The changes from now on of what the key sees. The tail ends within seconds once the key is revoked."""
        tail = EventStream()
        if self._has_ended:
            tail.end()
        self._tails.setdefault(key.id, []).append(tail)
        if key.id not in self._readers and not self._has_ended:
            reader = asyncio.create_task(self._read_on(key), name=f"tails of the ingest key {key.id}")
            self._readers[key.id] = reader
        try:
            yield tail
        finally:
            self._tails[key.id].remove(tail)
            if not self._tails[key.id]:
                del self._tails[key.id]

    def end(self) -> None:
        """End every tail; idempotent."""
        self._has_ended = True
        for tails in self._tails.values():
            for tail in tails:
                tail.end()

    async def aclose(self) -> None:
        """End everything, and wait; idempotent."""
        self.end()
        readers = list(self._readers.values())
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _read_on(self, key: IngestKey) -> None:
        """Read for all who follow with this key, until none does or it may not."""
        began: datetime | None = None
        since: datetime | None = None
        told: dict[UUID, tuple[Any, ...]] = {}
        is_away = False
        try:
            while key.id in self._tails:
                try:
                    since, changes = await self._read(key, since and max(since - OVERLAP, began or since))
                    is_away = False
                    began = began or since
                except DatabaseUnavailable as error:
                    if not is_away:
                        logger.warning("runs cannot be followed for now", cause=str(error))
                    is_away, changes = True, []
                self._tell(key.id, changes, told)
                for tail in self._tails.get(key.id, ()) if since else ():
                    tail.listen()
                await asyncio.sleep(self._interval)
        except LivewatchError as error:
            logger.info("a key follows no more", key=str(key.id), cause=str(error))
        except Exception:
            logger.exception("reading for those who follow failed", key=str(key.id))
        finally:
            # In one step with the look whether anybody follows: whoever comes next gets a reader of their own.
            self._readers.pop(key.id, None)
            for tail in self._tails.get(key.id, ()):
                tail.end()

    def _tell(self, key: UUID, changes: list[RunChange], told: dict[UUID, tuple[Any, ...]]) -> None:
        for change in changes:
            if told.pop(change.id, None) != change.told:
                for tail in self._tails.get(key, ()):
                    tail.take(change)
            # The last is the newest.
            told[change.id] = change.told
        while len(told) > MAX_REMEMBERED:
            del told[next(iter(told))]

    async def _read(self, key: IngestKey, since: datetime | None) -> tuple[datetime, list[RunChange]]:
        """The time, and what changed since; raises IngestRefused when the key may not, or was revoked."""
        async with self._database.as_user(key) as session:
            connection = await session.connection()
            now, may_see = (await connection.execute(_NOW)).one()
            if not may_see:
                raise IngestRefused(Code.BAD_KEY, "This key was revoked.")
            if since is None:
                return now, []
            rows = await connection.execute(_CHANGES, {"org": key.org_id, "since": since, "most": MAX_ROWS})
            return now, [RunChange(**row) for row in rows.mappings()]
