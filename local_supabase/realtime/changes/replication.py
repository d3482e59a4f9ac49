"""Streams committed changes out of PostgreSQL's write-ahead log."""

import asyncio
import contextlib
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg import AsyncConnection, pq

from local_supabase.errors import PostgresError
from local_supabase.realtime.changes.pgoutput import Change, Commit, Decoder

SLOT = "local_supabase_realtime"
PUBLICATION = "supabase_realtime"
REPORT_INTERVAL = 5.0
_SESSION = "-c datestyle=ISO -c timezone=UTC -c intervalstyle=postgres -c bytea_output=hex -c extra_float_digits=1"
_EPOCH_SECONDS = 946684800


class Replication:
    """A slot and the connections that read it, one after the other; each goes on where the last left off.

    The slot outlives a lost connection, so nothing is lost between two of them; `drop` ends it.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._done = 0
        self._seen = (0, 0)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["ChangeStream"]:
        """Connect and start streaming; raises PostgresError."""
        try:
            connection = await AsyncConnection.connect(
                self._url, autocommit=True, replication="database", options=_SESSION, application_name=SLOT
            )
        except psycopg.Error as error:
            raise PostgresError(f"The change stream cannot be opened: {str(error).strip()}") from error
        try:
            await self._ensure_slot(connection)
            stream = ChangeStream(connection, self._done, self._seen)
            try:
                await stream.start()
                yield stream
            finally:
                self._done, self._seen = stream.done, stream.seen
                stream.stop()
        except psycopg.Error as error:
            raise PostgresError(f"The change stream failed: {str(error).strip()}") from error
        finally:
            await connection.close()

    async def drop(self) -> None:
        """Remove the slot, also one that a crashed server left. Idempotent."""
        self._done, self._seen = 0, (0, 0)
        async with await AsyncConnection.connect(self._url, autocommit=True) as connection:
            for _ in range(100):
                try:
                    await connection.execute(
                        "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = %s",
                        (SLOT,),
                    )
                    return
                except psycopg.errors.ObjectInUse:
                    await asyncio.sleep(0.05)

    async def _ensure_slot(self, connection: AsyncConnection) -> None:
        with contextlib.suppress(psycopg.errors.DuplicateObject):
            await connection.execute(f"CREATE_REPLICATION_SLOT {SLOT} LOGICAL pgoutput NOEXPORT_SNAPSHOT".encode())


class ChangeStream:
    """The running stream of one connection; `read` it, and `confirm` what was handled."""

    def __init__(self, connection: AsyncConnection, done: int, seen: tuple[int, int]) -> None:
        self._connection = connection
        self._wire = connection.pgconn
        self._decoder = Decoder()
        self._readable = asyncio.Event()
        self._descriptor: int | None = None
        self._ended = False
        self.done = done
        self.seen = seen
        self._received = done
        self._reported_at = 0.0

    async def start(self) -> None:
        """Switch the connection to streaming."""
        command = (
            f"START_REPLICATION SLOT {SLOT} LOGICAL 0/0 (proto_version '1', publication_names '\"{PUBLICATION}\"')"
        )
        self._descriptor = self._wire.socket
        asyncio.get_running_loop().add_reader(self._descriptor, self._readable.set)
        self._wire.send_query(command.encode())
        self._wire.nonblocking = 1
        self._wire.flush()
        while self._wire.is_busy():
            await self._more()
        result = self._wire.get_result()
        if result is None or result.status != pq.ExecStatus.COPY_BOTH:
            message = result.error_message.decode(errors="replace").strip() if result else "no answer"
            raise PostgresError(f"The change stream cannot be started: {message}")

    async def read(self) -> list[Change | Commit]:
        """Wait some seconds for changes and return all that have arrived, in order, each once.

        Raises PostgresError when the stream ends.
        """
        found: list[Change | Commit] = []
        while not self._ended:
            size, data = self._wire.get_copy_data(1)
            if size > 0:
                self._take(bytes(data), found)
            elif size == 0:
                self._report()
                if found:
                    return found
                try:
                    async with asyncio.timeout(REPORT_INTERVAL):
                        await self._more()
                except psycopg.OperationalError:
                    self._ended = True
                except TimeoutError:
                    self._report(now=True)
                    return []
            else:
                self._ended = True
        if found:
            return found
        raise PostgresError("The change stream was ended by PostgreSQL.")

    def confirm(self, commit: Commit) -> None:
        """Everything up to this commit has been handled and need not be sent again."""
        self.done = max(self.done, commit.end)

    def stop(self) -> None:
        """Stop watching the connection; before it is closed, since its descriptor is reused after that."""
        if self._descriptor is not None:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            self._descriptor = None

    def _take(self, data: bytes, found: list[Change | Commit]) -> None:
        if data[:1] == b"w":
            message = self._decoder.decode(data[25:])
            # What was read before the last connection broke, but not yet confirmed, PostgreSQL sends again.
            if isinstance(message, Commit) and message.end > self.done:
                self._received = message.end
                found.append(message)
            elif isinstance(message, Change) and message.position > self.seen:
                self.seen = message.position
                found.append(message)
        elif data[:1] == b"k":
            end, _sent_at, wants_answer = struct.unpack(">qqB", data[1:18])
            if self._received == self.done and not self._decoder.in_transaction:
                # Nothing is waiting: the log up to here held nothing for us, PostgreSQL may recycle it.
                self.done = self._received = max(self.done, end)
            if wants_answer:
                self._report(now=True)

    def _report(self, *, now: bool = False) -> None:
        if not now and time.monotonic() - self._reported_at < REPORT_INTERVAL:
            return
        self._reported_at = time.monotonic()
        sent_at = int((time.time() - _EPOCH_SECONDS) * 1_000_000)
        self._wire.put_copy_data(struct.pack(">cqqqqB", b"r", self.done, self.done, self.done, sent_at, 0))
        self._wire.flush()

    async def _more(self) -> None:
        self._readable.clear()
        await self._readable.wait()
        self._wire.consume_input()
