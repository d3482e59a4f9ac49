"""The logical replication stream: committed changes from PostgreSQL's write-ahead log, each once.

Format: PostgreSQL documentation, "Streaming Replication Protocol".
"""

import asyncio
import contextlib
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg import AsyncConnection, pq

from local_supabase.errors import PostgresError
from local_supabase.realtime.changes.pgoutput import POSTGRES_EPOCH, Change, Commit, Decoder
from local_supabase.retry import Backoff

SLOT = "local_supabase_realtime"
PUBLICATION = "supabase_realtime"
REPORT_INTERVAL_SECONDS = 5.0
DROP_TIMEOUT_SECONDS = 5.0
XLOG_DATA_HEADER_BYTES = 25
# The text formats that `records` expects.
_SESSION = "-c datestyle=ISO -c timezone=UTC -c intervalstyle=postgres -c bytea_output=hex -c extra_float_digits=1"


class Replication:
    """A replication slot and its successive connections; each continues where the previous one stopped.

    The slot outlives a lost connection, so that no change is lost between two. `drop` deletes it.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._confirmed_lsn = 0
        self._last_position = (0, 0)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["ChangeStream"]:
        """Connect, create the slot if necessary and start streaming; raises PostgresError."""
        try:
            connection = await AsyncConnection.connect(
                self._url, autocommit=True, replication="database", options=_SESSION, application_name=SLOT
            )
        except psycopg.Error as error:
            raise PostgresError(f"The change stream cannot connect: {str(error).strip()}") from error
        try:
            await self._ensure_slot(connection)
            stream = ChangeStream(connection, self._confirmed_lsn, self._last_position)
            try:
                await stream.start()
                yield stream
            finally:
                self._confirmed_lsn, self._last_position = stream.confirmed_lsn, stream.last_position
                stream.stop()
        except psycopg.Error as error:
            raise PostgresError(f"The change stream failed: {str(error).strip()}") from error
        finally:
            await connection.close()

    async def drop(self) -> None:
        """Delete the slot, even if a crashed server left it; idempotent. Raises psycopg.Error."""
        self._confirmed_lsn, self._last_position = 0, (0, 0)
        async with await AsyncConnection.connect(self._url, autocommit=True) as connection:
            backoff = Backoff(initial=0.05, maximum=0.5, timeout=DROP_TIMEOUT_SECONDS)
            while not backoff.exhausted:
                try:
                    await connection.execute(
                        "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = %s",
                        (SLOT,),
                    )
                    return
                except psycopg.errors.ObjectInUse:
                    # Its connection was closed, but PostgreSQL has not noticed yet.
                    await backoff.sleep()

    async def _ensure_slot(self, connection: AsyncConnection) -> None:
        with contextlib.suppress(psycopg.errors.DuplicateObject):
            await connection.execute(f"CREATE_REPLICATION_SLOT {SLOT} LOGICAL pgoutput NOEXPORT_SNAPSHOT".encode())


class ChangeStream:
    """The running stream of one connection: `read` changes, then `confirm` the commits that were delivered."""

    def __init__(self, connection: AsyncConnection, confirmed_lsn: int, last_position: tuple[int, int]) -> None:
        """Create a stream that skips what an earlier one has delivered.

        Args:
            connection: a replication connection.
            confirmed_lsn: end of the last confirmed commit.
            last_position: position of the last change that was read.
        """
        # psycopg has no API for replication, so the stream uses libpq's: `connection` only keeps it open.
        self._connection = connection
        self._pgconn = connection.pgconn
        self._decoder = Decoder()
        self._readable = asyncio.Event()
        self._descriptor: int | None = None
        self._ended = False
        self._received_lsn = confirmed_lsn
        self._reported_at = 0.0
        self.confirmed_lsn = confirmed_lsn
        self.last_position = last_position

    async def start(self) -> None:
        """Switch the connection to streaming; raises PostgresError."""
        command = (
            f"START_REPLICATION SLOT {SLOT} LOGICAL 0/0 (proto_version '1', publication_names '\"{PUBLICATION}\"')"
        )
        self._descriptor = self._pgconn.socket
        asyncio.get_running_loop().add_reader(self._descriptor, self._readable.set)
        self._pgconn.send_query(command.encode())
        self._pgconn.nonblocking = 1
        self._pgconn.flush()
        while self._pgconn.is_busy():
            await self._receive()
        result = self._pgconn.get_result()
        if result is None or result.status != pq.ExecStatus.COPY_BOTH:
            message = result.error_message.decode(errors="replace").strip() if result else "no response"
            raise PostgresError(f"The change stream cannot start: {message}")

    async def read(self) -> list[Change | Commit]:
        """Wait up to `REPORT_INTERVAL_SECONDS` and return the received changes and commits in order, each once.

        Raises:
            PostgresError: the stream has ended.
        """
        found: list[Change | Commit] = []
        while not self._ended:
            size, data = self._pgconn.get_copy_data(1)
            if size > 0:
                self._process(bytes(data), found)
            elif size == 0:
                self._report()
                if found:
                    return found
                try:
                    async with asyncio.timeout(REPORT_INTERVAL_SECONDS):
                        await self._receive()
                except psycopg.OperationalError:
                    self._ended = True
                except TimeoutError:
                    self._report(now=True)
                    return []
            else:
                self._ended = True
        if found:
            return found
        raise PostgresError("PostgreSQL ended the change stream.")

    def confirm(self, commit: Commit) -> None:
        """Mark everything up to this commit as delivered: PostgreSQL does not send it again."""
        self.confirmed_lsn = max(self.confirmed_lsn, commit.end)

    def stop(self) -> None:
        """Stop watching the connection; call it before closing, because descriptors are reused. Idempotent."""
        if self._descriptor is not None:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            self._descriptor = None

    def _process(self, data: bytes, found: list[Change | Commit]) -> None:
        match data[:1]:
            case b"w":
                message = self._decoder.decode(data[XLOG_DATA_HEADER_BYTES:])
                # After a reconnect PostgreSQL repeats what was read but not confirmed.
                if isinstance(message, Commit) and message.end > self.confirmed_lsn:
                    self._received_lsn = message.end
                    found.append(message)
                elif isinstance(message, Change) and message.position > self.last_position:
                    self.last_position = message.position
                    found.append(message)
            case b"k":
                end, _sent_at, reply_requested = struct.unpack(">qqB", data[1:18])
                if self._received_lsn == self.confirmed_lsn and not self._decoder.in_transaction:
                    # Nothing is pending, so the log up to here concerns no subscriber, and PostgreSQL may recycle it.
                    self.confirmed_lsn = self._received_lsn = max(self.confirmed_lsn, end)
                if reply_requested:
                    self._report(now=True)

    def _report(self, *, now: bool = False) -> None:
        """Send a status update with the confirmed LSN; unless `now`, at most every `REPORT_INTERVAL_SECONDS`."""
        if not now and time.monotonic() - self._reported_at < REPORT_INTERVAL_SECONDS:
            return
        self._reported_at = time.monotonic()
        sent_at = int((time.time() - POSTGRES_EPOCH.timestamp()) * 1_000_000)
        lsn = self.confirmed_lsn
        self._pgconn.put_copy_data(struct.pack(">cqqqqB", b"r", lsn, lsn, lsn, sent_at, 0))
        self._pgconn.flush()

    async def _receive(self) -> None:
        self._readable.clear()
        await self._readable.wait()
        self._pgconn.consume_input()
