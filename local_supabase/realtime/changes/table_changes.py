"""`postgres_changes`: who subscribed to what, and the loop that hands out every committed change."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg
import structlog

from local_supabase.auth.keys import Claims
from local_supabase.errors import ChangesError, PostgresError
from local_supabase.postgres.pool import Pool
from local_supabase.realtime.changes import catalog
from local_supabase.realtime.changes.bindings import Binding, parse
from local_supabase.realtime.changes.delivery import Delivery
from local_supabase.realtime.changes.pgoutput import Change, Commit
from local_supabase.realtime.changes.replication import ChangeStream, Replication
from local_supabase.realtime.protocol.frames import JsonObject, Outgoing

log = structlog.get_logger()

LINGER = 60.0
START_TIMEOUT = 20.0
LONGEST_BACKOFF = 5.0
ATTEMPTS = 50
BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subscription:
    """The bindings of one channel, under the rights of its token."""

    topic: str
    role: str
    claims: str
    bindings: tuple[Binding, ...]
    send: Callable[[Outgoing], None] = field(repr=False)


class TableChanges:
    """Owns the replication slot while anybody is subscribed; `run` it as a task."""

    def __init__(self, pool: Pool, replication: Replication) -> None:
        self._pool = pool
        self._replication = replication
        self._subscriptions: dict[Subscription, None] = {}
        self._wanted = asyncio.Event()
        self._streaming = asyncio.Event()
        self._subscribing = 0
        self._tables = catalog.Tables(time.monotonic)

    async def subscribe(
        self, topic: str, params: list[JsonObject], claims: Claims, send: Callable[[Outgoing], None]
    ) -> Subscription:
        """Check the bindings and receive their changes from now on; raises ChangesError for the client to read."""
        bindings = tuple(parse(item) for item in params)
        role = str(claims["role"])
        self._subscribing += 1
        try:
            async with self._pool.connection() as connection:
                for binding in dict.fromkeys(bindings):
                    await catalog.check(connection, binding, role)
            self._wanted.set()
            async with asyncio.timeout(START_TIMEOUT):
                await self._streaming.wait()
        except (psycopg.Error, PostgresError, TimeoutError) as error:
            raise ChangesError(f"Unable to connect to the project database: {error}") from error
        finally:
            self._subscribing -= 1
        subscription = Subscription(topic=topic, role=role, claims=json.dumps(claims), bindings=bindings, send=send)
        self._subscriptions[subscription] = None
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Idempotent."""
        self._subscriptions.pop(subscription, None)

    async def run(self) -> None:
        """Stream while anybody is subscribed, reconnecting without end; drops the slot when cancelled."""
        try:
            await self._discard_slot()
            while True:
                await self._wanted.wait()
                await self._stream_while_wanted()
                await self._discard_slot()
        finally:
            await asyncio.shield(self._discard_slot())

    async def _stream_while_wanted(self) -> None:
        backoff = 0.05
        while self._wanted.is_set():
            try:
                async with self._replication.connection() as stream:
                    self._streaming.set()
                    backoff = 0.05
                    await self._handle(stream)
            except PostgresError as error:
                log.warning("realtime lost its change stream", error=str(error))
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, LONGEST_BACKOFF)
            finally:
                self._streaming.clear()

    async def _handle(self, stream: ChangeStream) -> None:
        loop = asyncio.get_running_loop()
        last_used = loop.time()
        while self._wanted.is_set():
            batch: list[Change] = []
            commit: Commit | None = None
            for message in await stream.read():
                if isinstance(message, Commit):
                    commit = message
                    continue
                batch.append(message)
                if len(batch) >= BATCH:
                    await self._deliver(batch)
                    batch = []
            await self._deliver(batch)
            if commit:
                stream.confirm(commit)
            if self._subscriptions or self._subscribing:
                last_used = loop.time()
            elif loop.time() - last_used > LINGER:
                # Both at once: whoever subscribes from now on waits for the next stream.
                self._wanted.clear()
                self._streaming.clear()

    async def _deliver(self, batch: list[Change]) -> None:
        if not batch or not self._subscriptions:
            return
        for attempt in range(ATTEMPTS):
            try:
                async with self._pool.connection() as connection:
                    await Delivery(connection, self._tables, list(self._subscriptions)).deliver(batch)
                return
            except (psycopg.Error, PostgresError, TimeoutError) as error:
                # Nothing of the batch was sent yet: delivery asks everything first.
                log.warning("realtime could not check changes", error=str(error).strip(), attempt=attempt)
                await asyncio.sleep(0.2)
            except Exception:
                # One change that cannot be handled must not end the stream for everybody.
                log.exception("realtime could not hand out changes", changes=len(batch))
                return
        log.error("realtime dropped changes that it could not check", changes=len(batch))

    async def _discard_slot(self) -> None:
        with contextlib.suppress(psycopg.Error):
            await self._replication.drop()
