"""Table changes (`postgres_changes`): the subscriptions, and the loop that delivers every committed change."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable

import psycopg
import structlog

from local_supabase.auth.keys import Claims
from local_supabase.errors import ChangesError, PostgresError
from local_supabase.postgres.pool import Pool
from local_supabase.realtime.changes import catalog
from local_supabase.realtime.changes.bindings import parse
from local_supabase.realtime.changes.catalog import TableCatalog, check_binding
from local_supabase.realtime.changes.delivery import Delivery
from local_supabase.realtime.changes.pgoutput import Change, Commit
from local_supabase.realtime.changes.replication import ChangeStream, Replication
from local_supabase.realtime.changes.subscription import Subscription
from local_supabase.realtime.protocol.frames import JsonObject, Outgoing
from local_supabase.realtime.protocol.send_buffers import SendBuffers
from local_supabase.retry import RECONNECT_MAX_SECONDS, Backoff

log = structlog.get_logger()

SLOT_TTL_SECONDS = 60.0
"""Keep the replication slot for this long after the last subscription."""
STREAM_TIMEOUT_SECONDS = 20.0
DELIVERY_TIMEOUT_SECONDS = 10.0
BATCH_SIZE = 500


class TableChanges:
    """Owns the replication slot, which exists while there are subscriptions; run it as a task."""

    def __init__(self, pool: Pool, replication: Replication, send_buffers: SendBuffers) -> None:
        self._pool = pool
        self._send_buffers = send_buffers
        self._replication = replication
        self._subscriptions: dict[Subscription, None] = {}
        self._wanted = asyncio.Event()
        self._streaming = asyncio.Event()
        self._subscribing = 0
        self._catalog = TableCatalog(time.monotonic)

    async def subscribe(
        self, topic: str, params: list[JsonObject], claims: Claims, send: Callable[[Outgoing], None]
    ) -> Subscription:
        """Check the bindings and deliver their changes from now on.

        Args:
            topic: topic of the frames.
            params: the bindings of the join.
            claims: claims of the token that the changes are filtered for.
            send: receives the frames on the event loop.

        Raises:
            ChangesError: a binding is invalid, or the database is not reachable; the message is for the client.
        """
        bindings = tuple(parse(item) for item in params)
        role = str(claims["role"])
        self._subscribing += 1
        try:
            async with self._pool.connection() as connection:
                for binding in dict.fromkeys(bindings):
                    await check_binding(connection, binding, role)
            self._wanted.set()
            async with asyncio.timeout(STREAM_TIMEOUT_SECONDS):
                await self._streaming.wait()
        except (psycopg.Error, PostgresError, TimeoutError) as error:
            raise ChangesError(f"Unable to connect to the project database: {error}") from error
        finally:
            self._subscribing -= 1
        subscription = Subscription(topic=topic, role=role, claims=json.dumps(claims), bindings=bindings, send=send)
        self._subscriptions[subscription] = None
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription; idempotent."""
        self._subscriptions.pop(subscription, None)

    async def run(self) -> None:
        """Stream while there are subscriptions, reconnecting with backoff; drops the slot when cancelled."""
        try:
            await self._drop_slot()
            while True:
                await self._wanted.wait()
                await self._stream_while_wanted()
                await self._drop_slot()
        finally:
            await asyncio.shield(self._drop_slot())

    async def _stream_while_wanted(self) -> None:
        backoff = Backoff(initial=0.05, maximum=RECONNECT_MAX_SECONDS)
        while self._wanted.is_set():
            try:
                async with self._replication.connection() as stream:
                    self._streaming.set()
                    await self._deliver_stream(stream)
            except PostgresError as error:
                if backoff.delay < RECONNECT_MAX_SECONDS:
                    log.warning("realtime lost its change stream", error=str(error), delay=backoff.delay)
                await backoff.sleep()
            finally:
                self._streaming.clear()

    async def _deliver_stream(self, stream: ChangeStream) -> None:
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
                if len(batch) >= BATCH_SIZE:
                    await self._deliver(batch)
                    batch = []
            await self._deliver(batch)
            if commit:
                stream.confirm(commit)
            if self._subscriptions or self._subscribing:
                last_used = loop.time()
            elif loop.time() - last_used > SLOT_TTL_SECONDS:
                # Clear both at once, so that a new subscriber waits for the next stream.
                self._wanted.clear()
                self._streaming.clear()

    async def _deliver(self, batch: list[Change]) -> None:
        """Deliver changes to those who are subscribed once the changes are visible.

        The stream may be ahead of what other sessions see. Who subscribes later than that reads rows that include the
        changes; who subscribes earlier gets them.
        """
        if not batch:
            return
        await self._send_buffers.drain()
        backoff = Backoff(initial=0.1, maximum=0.5, timeout=DELIVERY_TIMEOUT_SECONDS)
        while not backoff.exhausted:
            try:
                async with self._pool.connection() as connection:
                    await catalog.visible(connection, {change.transaction for change in batch})
                    await Delivery(connection, self._catalog, list(self._subscriptions)).deliver(batch)
                return
            except (psycopg.Error, PostgresError, TimeoutError) as error:
                # Safe to repeat: a delivery runs all its queries before it sends anything.
                log.warning("realtime could not check changes", error=str(error).strip(), delay=backoff.delay)
                await backoff.sleep()
            except Exception:
                # A change that cannot be delivered must not end the stream for all subscribers.
                log.exception("realtime could not deliver changes", changes=len(batch))
                return
        log.error("realtime dropped changes that it could not check", changes=len(batch))

    async def _drop_slot(self) -> None:
        with contextlib.suppress(psycopg.Error):
            await self._replication.drop()
