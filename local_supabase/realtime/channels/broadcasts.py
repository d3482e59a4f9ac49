"""Broadcasts from the database: rows of realtime.messages, delivered once each, in the order of their commits."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator

import psycopg
import structlog

from local_supabase.errors import PostgresError
from local_supabase.http.json_text import compact
from local_supabase.postgres.pool import Connection, Pool, connect
from local_supabase.realtime.channels.topics import Topics
from local_supabase.realtime.protocol.frames import Outgoing

log = structlog.get_logger()

CHANNEL = "realtime_messages"
CHECKPOINT = "checkpoint:"
CHECKPOINT_INTERVAL = 10.0
PRUNE_INTERVAL = 3600.0
KEPT = "3 days"
LONGEST_BACKOFF = 5.0
BATCH = 500

_COLUMNS = "id::text, topic, event, payload::text, private"


class DatabaseBroadcasts:
    """Listens for notifications of new messages, fetches them by id and publishes them to their topics.

    Never by `id > last`: ids and times are not in the order of commits, notifications are. A checkpoint is a snapshot
    of the database that came back through the notifications, so everything visible in it has been seen; after a lost
    connection what is not visible in the last checkpoint and was not published since is published.
    """

    def __init__(self, pool: Pool, topics: Topics) -> None:
        self._pool = pool
        self._topics = topics
        self._pending: list[str] = []
        self._wake = asyncio.Event()
        self._checkpoint: str | None = None
        self._published: set[str] = set()
        self._published_since_mark: set[str] = set()
        self._mark = uuid.uuid4().hex
        self.ready = asyncio.Event()
        """Set while the connection to the database is established."""

    async def run(self) -> None:
        """Serve until cancelled; reconnects without end."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_listening(), name="realtime-listen")
            tasks.create_task(self._keep_publishing(), name="realtime-publish")
            tasks.create_task(self._keep_checkpoints(), name="realtime-checkpoint")
            tasks.create_task(self._keep_pruning(), name="realtime-prune")

    async def _keep_listening(self) -> None:
        backoff = 0.05
        while True:
            try:
                async with _listening(self._pool.url) as connection:
                    await self._catch_up(connection)
                    backoff = 0.05
                    self.ready.set()
                    async for notification in connection.notifies():
                        self._receive(notification.payload)
            except (psycopg.Error, PostgresError) as error:
                log.warning("realtime lost its database connection", error=str(error).strip())
            finally:
                self.ready.clear()
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, LONGEST_BACKOFF)

    def _receive(self, payload: str) -> None:
        if payload.startswith(CHECKPOINT):
            mark, _, snapshot = payload.removeprefix(CHECKPOINT).partition("/")
            if mark == self._mark:
                self._checkpoint = snapshot
                self._published = self._published_since_mark
            return
        # Any role of the database may notify; what is no id did not come from our trigger.
        with contextlib.suppress(ValueError):
            self._pending.append(str(uuid.UUID(payload)))
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
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._pending:
                batch = self._pending[:BATCH]
                try:
                    await self._publish(batch)
                except (psycopg.Error, PostgresError) as error:
                    log.warning("realtime could not read messages", error=str(error).strip())
                    await asyncio.sleep(0.1)
                    continue
                del self._pending[: len(batch)]

    async def _publish(self, batch: list[str]) -> None:
        new = [uuid.UUID(identity) for identity in dict.fromkeys(batch) if identity not in self._published]
        if not new:
            return
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                f"select {_COLUMNS} from realtime.messages where id = any(%s)".encode(), (new,)
            )
            rows = {row[0]: row for row in await cursor.fetchall()}
        for identity in map(str, new):
            self._published.add(identity)
            self._published_since_mark.add(identity)
            if row := rows.get(identity):
                _identity, topic, event, payload, private = row
                if self._topics.has(topic, private):
                    self._topics.publish(topic, private, message_of(identity, topic, event, payload))

    async def _keep_checkpoints(self) -> None:
        while True:
            await asyncio.sleep(CHECKPOINT_INTERVAL)
            if not self._published or not self.ready.is_set():
                continue
            self._mark = uuid.uuid4().hex
            self._published_since_mark = set()
            with contextlib.suppress(psycopg.Error, PostgresError):
                async with self._pool.connection() as connection:
                    await connection.execute(
                        "select pg_notify(%s, %s || pg_current_snapshot()::text)",
                        (CHANNEL, f"{CHECKPOINT}{self._mark}/"),
                    )

    async def _keep_pruning(self) -> None:
        while True:
            with contextlib.suppress(psycopg.Error, PostgresError):
                async with self._pool.connection() as connection:
                    await connection.execute(
                        "delete from realtime.messages where inserted_at < now() - %s::interval", (KEPT,)
                    )
            await asyncio.sleep(PRUNE_INTERVAL)


def message_of(
    identity: str, topic: str, event: str | None, payload: str | None, *, replayed: bool = False
) -> Outgoing:
    """The frame of a stored message; `payload` is JSON text and passes as it is."""
    meta = {"id": identity, "replayed": True} if replayed else {"id": identity}
    body = f'{{"event":{compact(event)},"meta":{compact(meta)},"payload":{payload or "{}"},"type":"broadcast"}}'
    return Outgoing(f"realtime:{topic}", "broadcast", body)


@contextlib.asynccontextmanager
async def _listening(url: str) -> AsyncIterator[Connection]:
    connection = await connect(url, name="realtime_listen")
    try:
        await connection.execute(f"listen {CHANNEL}".encode())
        yield connection
    finally:
        await connection.close()
