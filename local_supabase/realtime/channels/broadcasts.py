"""Broadcasts from the database: delivers each row of `realtime.messages` once, in commit order."""

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator
from typing import NamedTuple

import psycopg
import structlog

from local_supabase.errors import PostgresError
from local_supabase.postgres.pool import Connection, Pool, connect
from local_supabase.realtime.channels.notifications import Notifications
from local_supabase.realtime.channels.topics import Topics
from local_supabase.realtime.protocol.frames import Outgoing
from local_supabase.realtime.protocol.send_buffers import SendBuffers
from local_supabase.retry import RECONNECT_MAX_SECONDS, Backoff
from local_supabase.web.json_text import compact

log = structlog.get_logger()

CHECKPOINT_PREFIX = "checkpoint:"
CHECKPOINT_INTERVAL_SECONDS = 10.0
PRUNE_INTERVAL_SECONDS = 30.0
PRUNE_BATCH_SIZE = 5000
"""A larger delete could exceed the statement timeout of the connections."""
BATCH_SIZE = 500
CHECK_INTERVAL_MESSAGES = 100
"""Messages delivered at once before the next one may have to wait for slow clients."""

_COLUMNS = "id::text, topic, event, payload::text, private"


class StoredMessage(NamedTuple):
    """A row of `realtime.messages`; `payload` is JSON text."""

    id: str
    topic: str
    event: str | None
    payload: str | None
    private: bool


class DatabaseBroadcasts:
    """Listens for notifications of new messages and publishes these to their topics.

    A notification holds its message. One that is too large for that holds the id, by which the message is fetched.

    Ids and timestamps do not follow the commit order, notifications do; a query such as `id > last` would miss
    messages. After a lost connection, checkpoints identify the missed ones: a checkpoint is a database snapshot that
    was sent through the notifications, so every message visible in it has been notified. Messages that are not visible
    in the last checkpoint and were not published since are published then.
    """

    def __init__(self, pool: Pool, topics: Topics, *, retention: float, send_buffers: SendBuffers) -> None:
        """Create a stopped listener.

        Args:
            pool: connections to the database.
            topics: the joined channels.
            retention: how many seconds messages are stored, for replays.
            send_buffers: what many messages at once wait for.
        """
        self._send_buffers = send_buffers
        self._pool = pool
        self._retention = retention
        self._topics = topics
        self._pending: list[StoredMessage | str] = []
        self._wake = asyncio.Event()
        self._checkpoint: str | None = None
        self._published: set[str] = set()
        self._published_since_mark: set[str] = set()
        self._mark = uuid.uuid4().hex
        self._channel = ""
        self._received = 0
        self.ready = asyncio.Event()
        """Set while the database connection is established."""

    async def run(self) -> None:
        """Publish until cancelled, reconnecting with backoff."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_listening(), name="realtime-listen")
            tasks.create_task(self._keep_publishing(), name="realtime-publish")
            tasks.create_task(self._keep_checkpoints(), name="realtime-checkpoint")
            tasks.create_task(self._keep_pruning(), name="realtime-prune")

    async def _keep_listening(self) -> None:
        backoff = Backoff(initial=0.05, maximum=RECONNECT_MAX_SECONDS)
        while True:
            try:
                async with self._listening() as (connection, notifications):
                    await self._catch_up(connection)
                    self.ready.set()
                    await notifications.receive(self._receive)
            except (psycopg.Error, PostgresError) as error:
                if backoff.delay < RECONNECT_MAX_SECONDS:
                    log.warning("realtime lost its database connection", error=str(error).strip(), delay=backoff.delay)
            finally:
                self.ready.clear()
            await backoff.sleep()

    @contextlib.asynccontextmanager
    async def _listening(self) -> AsyncIterator[tuple[Connection, Notifications]]:
        connection = await connect(self._pool.url, name="realtime_listen")
        notifications = Notifications(connection)
        try:
            cursor = await connection.execute("select name from realtime.notification_channel")
            ((self._channel,),) = await cursor.fetchall()
            await connection.execute(f"listen {self._channel}".encode())
            yield connection, notifications
        finally:
            await connection.close()

    def _receive(self, payload: str) -> None:
        if payload.startswith(CHECKPOINT_PREFIX):
            mark, _, snapshot = payload.removeprefix(CHECKPOINT_PREFIX).partition("/")
            if mark == self._mark:
                self._checkpoint = snapshot
                self._published = self._published_since_mark
            return
        message = _read(payload)
        self._received += 1
        is_due = self._received % CHECK_INTERVAL_MESSAGES == 0
        if isinstance(message, StoredMessage) and not self._pending and not (is_due and self._send_buffers.is_behind):
            self._deliver(message)
        elif message:
            self._pending.append(message)
            self._wake.set()

    async def _catch_up(self, connection: Connection) -> None:
        if self._checkpoint is None:
            cursor = await connection.execute("select pg_current_snapshot()::text")
            row = await cursor.fetchone()
            self._checkpoint = str(row[0]) if row else None
            return
        cursor = await connection.execute(
            "select id::text from realtime.messages where extension = 'broadcast'"
            " and not pg_visible_in_snapshot(xmin::text::xid8, %s::pg_snapshot) order by inserted_at, id",
            (self._checkpoint,),
        )
        missed = [row[0] for row in await cursor.fetchall()]
        self._pending.extend(missed)
        self._wake.set()

    async def _keep_publishing(self) -> None:
        backoff = Backoff(initial=0.1, maximum=1.0)
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._pending:
                await self._send_buffers.drain()
                batch = self._pending[:BATCH_SIZE]
                try:
                    await self._publish(batch)
                except (psycopg.Error, PostgresError) as error:
                    log.warning("realtime could not read messages", error=str(error).strip(), delay=backoff.delay)
                    await backoff.sleep()
                    continue
                del self._pending[: len(batch)]

    async def _publish(self, batch: list[StoredMessage | str]) -> None:
        missing = [uuid.UUID(each) for each in batch if isinstance(each, str) and each not in self._published]
        rows: dict[str, StoredMessage] = {}
        if missing:
            async with self._pool.connection() as connection:
                cursor = await connection.execute(
                    f"select {_COLUMNS} from realtime.messages where id = any(%s)".encode(), (missing,)
                )
                rows = {row[0]: StoredMessage(*row) for row in await cursor.fetchall()}
        for each in batch:
            if message := each if isinstance(each, StoredMessage) else rows.get(each):
                self._deliver(message)

    def _deliver(self, message: StoredMessage) -> None:
        """Publish a message unless it was published before."""
        if message.id in self._published:
            return
        self._published.add(message.id)
        self._published_since_mark.add(message.id)
        if self._topics.has_listeners(message.topic, message.private):
            frame = broadcast_message(message.id, message.topic, message.event, message.payload)
            self._topics.publish(message.topic, message.private, frame)

    async def _keep_checkpoints(self) -> None:
        while True:
            await asyncio.sleep(CHECKPOINT_INTERVAL_SECONDS)
            if not self._published or not self.ready.is_set():
                continue
            self._mark = uuid.uuid4().hex
            self._published_since_mark = set()
            with contextlib.suppress(psycopg.Error, PostgresError):
                async with self._pool.connection() as connection:
                    await connection.execute(
                        "select pg_notify(%s, %s || pg_current_snapshot()::text)",
                        (self._channel, f"{CHECKPOINT_PREFIX}{self._mark}/"),
                    )

    async def _keep_pruning(self) -> None:
        while True:
            try:
                async with self._pool.connection() as connection:
                    while await self._prune(connection) == PRUNE_BATCH_SIZE:
                        pass
            except (psycopg.Error, PostgresError) as error:
                log.warning("realtime could not delete old messages", error=str(error).strip())
            await asyncio.sleep(PRUNE_INTERVAL_SECONDS)

    async def _prune(self, connection: Connection) -> int:
        cursor = await connection.execute(
            "delete from realtime.messages where ctid = any(array(select ctid from realtime.messages"
            " where inserted_at < (now() at time zone 'utc') - make_interval(secs => %s) limit %s))",
            (self._retention, PRUNE_BATCH_SIZE),
        )
        return cursor.rowcount


def broadcast_message(
    message_id: str, topic: str, event: str | None, payload: str | None, *, replayed: bool = False
) -> Outgoing:
    """Return the frame of a stored message.

    Args:
        message_id: the row's UUID.
        topic: the topic without its prefix.
        event: the event's name.
        payload: JSON text, embedded without parsing.
        replayed: mark the message as replayed.
    """
    meta = {"id": message_id, "replayed": True} if replayed else {"id": message_id}
    body = f'{{"event":{compact(event)},"meta":{compact(meta)},"payload":{payload or "{}"},"type":"broadcast"}}'
    return Outgoing(f"realtime:{topic}", "broadcast", body)


def _read(payload: str) -> StoredMessage | str | None:
    """Return the message of a notification, or the id of one to fetch; None for what our trigger does not send."""
    try:
        if "\n" not in payload:
            return str(uuid.UUID(payload))
        head, _, body = payload.partition("\n")
        id, topic, event, private = json.loads(head)
        return StoredMessage(id, topic, event, body, private)
    except ValueError:
        return None
