"""Event streams of runs for client programs that authenticate with an ingest key.

Realtime channels need a user's access token, which a key does not have, so that the rows are polled instead: once a
second per key, for all its streams together, in a transaction under the key's own claims. Row-level security thus
limits a stream to the runs that the key may see. A key without open streams is not polled.

A client that comes back with the position that it was told last, to this process or another, is told what changed
since, from the database, and then what this process polls.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

import structlog

from services.errors import DatabaseUnavailable, IngestRefused, LivewatchError
from services.infra.database import Database
from services.infra.logging import create_shared_task
from services.ingest.keys import IngestKey
from services.ingest.operations import Code, KeyScope
from services.ingest.run_changes import DELETIONS_KEPT, Horizon, RunChange, RunChanges

logger = structlog.get_logger(__name__)

POLL_INTERVAL_SECONDS = 1.0
POLL_PAUSES = 4
"""Durations of a poll that pass before the next, at least."""
MAX_STREAMS_PER_KEY = 20
MAX_REMEMBERED_RUNS = 20_000
RATE_RETRY_SECONDS = 10.0
SHUTDOWN_RETRY_SECONDS = 2.0
# How far a position may be ahead, as of a database whose clock was set back a little.
MAX_LEAD = timedelta(minutes=1)


class EventStream:
    """Pending changes of one client: the newest per run, so that a slow client does not delay others."""

    def __init__(self) -> None:
        self._pending: dict[UUID, RunChange] = {}
        self._has_pending = asyncio.Event()
        self._is_ready = asyncio.Event()
        self.has_ended = False
        self.position: datetime | None = None
        """Everything before it was published; None until the stream is ready."""
        self.now: datetime | None = None
        """The database's time at that position, which lies behind while a transaction is open."""

    async def wait_ready(self) -> None:
        """Wait until the stream delivers every later change, or has ended."""
        await self._is_ready.wait()

    async def next(self, *, timeout_seconds: float) -> list[RunChange]:
        """Wait for changes; returns those since the last call, oldest first, or an empty list after the timeout.

        With them, everything before the present `position` was returned.
        """
        with suppress(TimeoutError):
            await asyncio.wait_for(self._has_pending.wait(), timeout_seconds)
        if not self.has_ended:
            self._has_pending.clear()
        changes, self._pending = list(self._pending.values()), {}
        return changes

    def publish(self, change: RunChange) -> None:
        """Add a change, which replaces a pending one of the same run."""
        self._pending.pop(change.id, None)
        self._pending[change.id] = change
        self._has_pending.set()

    def advance(self, position: datetime, now: datetime) -> None:
        """Note that everything before a position was published; from the first one on the stream is ready."""
        self.position, self.now = position, now
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
        self._changes = RunChanges(database)
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

    async def missed(self, key: IngestKey, stream: EventStream, position: datetime) -> AsyncIterator[list[RunChange]]:
        """Yield what changed since a position, in the order of time; later changes come with the open stream.

        Ends the stream if the database does not respond, or the key was revoked: the client comes back.
        """
        try:
            async for changes in self._changes.since(key, position):
                if stream.has_ended:
                    return
                yield changes
        except LivewatchError as error:
            logger.info("event stream cut off", key=str(key.id), cause=str(error))
            stream.end()

    async def _poll(self, key: IngestKey) -> None:
        """Poll for all streams of the key until none is left or the key is revoked."""
        horizon, published = Horizon(), None
        sent: dict[UUID, tuple[Any, ...]] = {}
        is_unavailable = False
        try:
            while key.id in self._streams:
                begun = time.monotonic()
                try:
                    published = await self._poll_once(key, horizon, published, sent)
                    is_unavailable = False
                except DatabaseUnavailable as error:
                    if not is_unavailable:
                        logger.warning("event stream poll failed", key=str(key.id), cause=str(error))
                    is_unavailable = True
                # A transaction that stays open for long makes each poll read more: most of the time is others'.
                await asyncio.sleep(max(self._interval, POLL_PAUSES * (time.monotonic() - begun)))
        except LivewatchError as error:
            logger.info("event streams ended", key=str(key.id), cause=str(error))
        except Exception:
            logger.exception("event streams failed", key=str(key.id))
        finally:
            # No await since the check for open streams: a stream that opens later starts a poller of its own.
            self._pollers.pop(key.id, None)
            for stream in self._streams.get(key.id, ()):
                stream.end()

    async def _poll_once(
        self, key: IngestKey, horizon: Horizon, published: datetime | None, sent: dict[UUID, tuple[Any, ...]]
    ) -> datetime:
        """Publish what changed since the position of the poll before, and return the new position.

        The first time, without a position, only note what the states are.
        """
        position, now = await self._changes.advance(key, horizon)
        # Those that open while the rows are read are advanced by the next poll.
        streams = list(self._streams.get(key.id, ()))
        seen: dict[UUID, tuple[Any, ...]] = {}
        # What was open at the poll before may have ended since: its rows have times from that position on.
        async for changes in self._changes.since(key, published or position):
            for change in changes:
                seen[change.id] = change.visible_state
                if published and sent.get(change.id) != change.visible_state:
                    for stream in self._streams.get(key.id, ()):
                        stream.publish(change)
                sent[change.id] = change.visible_state
        for stream in streams:
            stream.advance(position, now)
        if len(sent) > MAX_REMEMBERED_RUNS:
            # Only what changed lately is read again.
            sent.clear()
            sent.update(seen)
        return position


def is_remembered(position: datetime, now: datetime) -> bool:
    """Whether everything since a position can be told, deletions included."""
    return now - DELETIONS_KEPT <= position <= now + MAX_LEAD
