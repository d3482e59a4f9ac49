"""Event streams of runs for client programs that authenticate with an ingest key.

Realtime channels need a user's access token, which a key does not have, so that the rows are polled instead: once a
second per key, for all its streams together, in a transaction under the key's own claims. Row-level security thus
limits a stream to the runs that were reported over the API in the key's organisation. A key without open streams is
not polled. An update that is committed more than 5 s after its timestamp may be missed; ingest statements are shorter.
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
from services.infra.logging import create_shared_task
from services.ingest.keys import IngestKey
from services.ingest.operations import Code, KeyScope

logger = structlog.get_logger(__name__)

POLL_INTERVAL_SECONDS = 1.0
# A row's timestamp is older than its commit, so that each poll reads this far back; known states are not sent again.
POLL_OVERLAP = timedelta(seconds=5)
MAX_STREAMS_PER_KEY = 20
MAX_ROWS_PER_POLL = 5_000
MAX_REMEMBERED_RUNS = 20_000
RATE_RETRY_SECONDS = 10.0
SHUTDOWN_RETRY_SECONDS = 2.0

_NOW = text("select clock_timestamp(), exists (select from private.readable_orgs())")
_CHANGES = text("""
    select * from (
        select 'stream' as kind, id, slug, name, goal_status as status,
            case when total > 0 then percentage end as percent, completed as done,
            nullif(total, 0) as total, unit, null as step, error, version, updated_at as at
        from public.streams where org_id = :org and slug is not null and updated_at > :since
        union all
        select 'scan', id, slug, name, status, progress_percentage, targets_analyzed, nullif(targets_identified, 0),
            null, current_step, error, version, updated_at
        from public.acquisition_scans where org_id = :org and slug is not null and updated_at > :since
        union all
        select 'agent', id, slug, agent_name, status, null, null, null, null, null, error, version, updated_at
        from public.agent_executions where org_id = :org and slug is not null and updated_at > :since
        order by version desc limit :limit
    ) as change order by version
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunChange:
    """Current state of a run; `percent` is None if the run has no progress, `total` if it is unknown."""

    kind: str
    id: UUID
    slug: str
    name: str
    status: str
    percent: float | None
    done: float | None
    total: float | None
    unit: str | None
    step: str | None
    error: str | None
    version: int
    at: datetime

    @property
    def visible_state(self) -> tuple[Any, ...]:
        """Values that a client sees; a heartbeat does not change them."""
        return (self.name, self.status, self.percent, self.done, self.total, self.step, self.error)


class EventStream:
    """Pending changes of one client: the newest per run, so that a slow client does not delay others."""

    def __init__(self) -> None:
        self._pending: dict[UUID, RunChange] = {}
        self._has_pending = asyncio.Event()
        self._is_ready = asyncio.Event()
        self.has_ended = False

    async def wait_ready(self) -> None:
        """Wait until the stream delivers every later change, or has ended."""
        await self._is_ready.wait()

    async def next(self, *, timeout_seconds: float) -> list[RunChange]:
        """Wait for changes; returns those since the last call, oldest first, or an empty list after the timeout."""
        try:
            await asyncio.wait_for(self._has_pending.wait(), timeout_seconds)
        except TimeoutError:
            return []
        if not self.has_ended:
            self._has_pending.clear()
        changes, self._pending = list(self._pending.values()), {}
        return changes

    def publish(self, change: RunChange) -> None:
        """Add a change, which replaces a pending one of the same run."""
        self._pending.pop(change.id, None)
        self._pending[change.id] = change
        self._has_pending.set()

    def set_ready(self) -> None:
        """Mark the stream as ready: every later change is delivered."""
        self._is_ready.set()

    def end(self) -> None:
        """End the stream; idempotent."""
        self.has_ended = True
        self._is_ready.set()
        self._has_pending.set()


class EventStreamHub:
    """Open event streams by key, and a polling task for each key that has any.

    `end` ends all streams; `aclose` also waits for the polling tasks.
    """

    def __init__(self, database: Database, *, interval: float = POLL_INTERVAL_SECONDS) -> None:
        self._database = database
        self._interval = interval
        self._streams: dict[UUID, list[EventStream]] = {}
        self._pollers: dict[UUID, asyncio.Task[None]] = {}
        self._has_ended = False

    def authorize(self, key: IngestKey) -> None:
        """Check that the key may open a stream now; raises IngestRefused if it may not."""
        if not {KeyScope.RUNS, KeyScope.READ} & key.scopes:
            raise IngestRefused(
                Code.SCOPE,
                "This key may not follow runs: it lacks the scopes 'runs' and 'read'. An admin creates keys under "
                "Settings.",
            )
        if self._has_ended:
            raise IngestRefused(
                Code.UNAVAILABLE, "This server is shutting down; try again.", retry_after=SHUTDOWN_RETRY_SECONDS
            )
        if len(self._streams.get(key.id, ())) >= MAX_STREAMS_PER_KEY:
            raise IngestRefused(
                Code.RATE,
                f"This key already has {MAX_STREAMS_PER_KEY} open event streams, the maximum; close one of them.",
                retry_after=RATE_RETRY_SECONDS,
            )

    @contextmanager
    def follow(self, key: IngestKey) -> Iterator[EventStream]:
        """Open a stream of the runs that the key may see; it ends within seconds after the key is revoked."""
        stream = EventStream()
        if self._has_ended:
            stream.end()
        self._streams.setdefault(key.id, []).append(stream)
        if key.id not in self._pollers and not self._has_ended:
            poller = create_shared_task(self._poll(key), name=f"event streams of the ingest key {key.id}")
            self._pollers[key.id] = poller
        try:
            yield stream
        finally:
            self._streams[key.id].remove(stream)
            if not self._streams[key.id]:
                del self._streams[key.id]

    def end(self) -> None:
        """End all streams; idempotent."""
        self._has_ended = True
        for streams in self._streams.values():
            for stream in streams:
                stream.end()

    async def aclose(self) -> None:
        """End all streams and wait for the polling tasks; idempotent."""
        self.end()
        pollers = list(self._pollers.values())
        for poller in pollers:
            poller.cancel()
        await asyncio.gather(*pollers, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _poll(self, key: IngestKey) -> None:
        """Poll for all streams of the key until none is left or the key is revoked."""
        began: datetime | None = None
        since: datetime | None = None
        sent: dict[UUID, tuple[Any, ...]] = {}
        is_unavailable = False
        try:
            while key.id in self._streams:
                try:
                    since, changes = await self._read(key, since and max(since - POLL_OVERLAP, began or since))
                    is_unavailable = False
                    began = began or since
                except DatabaseUnavailable as error:
                    if not is_unavailable:
                        logger.warning("event stream poll failed", key=str(key.id), cause=str(error))
                    is_unavailable, changes = True, []
                self._publish(key.id, changes, sent)
                for stream in self._streams.get(key.id, ()) if since else ():
                    stream.set_ready()
                await asyncio.sleep(self._interval)
        except LivewatchError as error:
            logger.info("event streams ended", key=str(key.id), cause=str(error))
        except Exception:
            logger.exception("event streams failed", key=str(key.id))
        finally:
            # No await since the check for open streams: a stream that opens later starts a poller of its own.
            self._pollers.pop(key.id, None)
            for stream in self._streams.get(key.id, ()):
                stream.end()

    def _publish(self, key: UUID, changes: list[RunChange], sent: dict[UUID, tuple[Any, ...]]) -> None:
        for change in changes:
            if sent.pop(change.id, None) != change.visible_state:
                for stream in self._streams.get(key, ()):
                    stream.publish(change)
            # Re-inserted last, so that the oldest entry comes first.
            sent[change.id] = change.visible_state
        while len(sent) > MAX_REMEMBERED_RUNS:
            del sent[next(iter(sent))]

    async def _read(self, key: IngestKey, since: datetime | None) -> tuple[datetime, list[RunChange]]:
        """Read the database's time and the changes after `since`, none without it; raises IngestRefused if revoked."""
        async with self._database.as_user(key) as session:
            connection = await session.connection()
            now, may_see = (await connection.execute(_NOW)).one()
            if not may_see:
                raise IngestRefused(Code.BAD_KEY, "This key was revoked; an admin creates keys under Settings.")
            if since is None:
                return now, []
            rows = await connection.execute(_CHANGES, {"org": key.org_id, "since": since, "limit": MAX_ROWS_PER_POLL})
            return now, [RunChange(**row) for row in rows.mappings()]
