"""The disk queue: undelivered operations in order, in a bounded SQLite file that outlives the process."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from livewatch.delivery.clock import Moment, age_of, boot_id
from livewatch.delivery.operations import Operation
from livewatch.delivery.queue_file import QueueFile

MAX_ENTRIES = 50_000
MAX_BYTES = 64 * 2**20
# A full queue is trimmed to this share of its bounds, so that not every append trims again.
TRIM_RATIO = 0.9
MAX_REJECTIONS = 100
# Bytes that a batch adds to an operation's body and path.
ENVELOPE_BYTES = 120


@dataclass(frozen=True)
class Entry:
    """A queued operation.

    Attributes:
        seq: Position in the queue.
        operation: The operation.
        attempts: How often it failed on its own, rather than with its batch.
        age: Seconds since it was reported.
    """

    seq: int
    operation: Operation
    attempts: int
    age: float


@dataclass(frozen=True)
class Rejection:
    """An operation that the server rejected for good.

    Attributes:
        idempotency_key: Key of the operation.
        path: Path of the operation, relative to /api/v1.
        reason: The server's error message.
        at: Time of the response, in epoch seconds.
    """

    idempotency_key: str
    path: str
    reason: str
    at: float


class DiskQueue:
    """Queues operations for one destination in a file that all processes of a user share.

    Every call is one short transaction and thread-safe. None raises because of the file; see `QueueFile`.

    Args:
        file: The SQLite file; None to queue in memory.
        destination: Identifies server and key; entries of other destinations are not visible.
        max_entries: Bound on the entries of all destinations.
        max_bytes: Bound on the used size of the file.
        clock: Epoch time in seconds.
    """

    def __init__(
        self,
        file: Path | None,
        destination: str,
        *,
        max_entries: int = MAX_ENTRIES,
        max_bytes: int = MAX_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._storage = QueueFile(file, clock)
        self._destination = destination
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._writer = os.urandom(8).hex()
        self._boot = boot_id()
        self.dropped_count = 0
        """Entries that this process dropped to keep the queue within its bounds."""

    @property
    def file(self) -> Path | None:
        """The SQLite file; None while the queue is in memory."""
        return self._storage.path

    @property
    def is_open(self) -> bool:
        """Whether the file, or the memory in its place, is open."""
        return self._storage.is_open

    @property
    def lock_file(self) -> Path | None:
        """The file for the delivery lock, beside the queue; None while the queue is in memory."""
        return self.file and self.file.with_name(f"{self.file.name}.lock")

    def append(self, operations: Sequence[Operation]) -> bool:
        """Append operations in order.

        A full queue drops superseded coalescable entries first, then the oldest.

        Returns:
            Whether they were queued; False if the file is locked.
        """
        rows = [
            (
                self._destination,
                self._writer,
                each.made.epoch,
                each.method,
                each.path,
                each.body,
                each.idempotency_key,
                int(each.coalescable),
                each.made.uptime,
                self._boot,
            )
            for each in operations
        ]

        def work(connection: sqlite3.Connection) -> int:
            connection.executemany(
                "insert into entries (destination, writer, made_at, method, path, body, key, passing, uptime, boot) "
                "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
            return self._trim(connection)

        dropped = self._storage.transact(work, None)
        self.dropped_count += dropped or 0
        return dropped is not None

    def peek(self, max_entries: int, max_bytes: int) -> list[Entry]:
        """Return the oldest entries without removing them.

        Args:
            max_entries: Most entries to return.
            max_bytes: Most bytes that they may take in a batch; the first entry is returned whatever its size.
        """

        def work(connection: sqlite3.Connection) -> list[Entry]:
            rows = connection.execute(
                "select seq, method, path, body, key, passing, attempts, made_at, uptime, boot from entries "
                "where destination = ? order by seq limit ?",
                (self._destination, max_entries),
            )
            entries: list[Entry] = []
            remaining_bytes = max_bytes
            now = Moment()
            for seq, method, path, body, key, coalescable, attempts, epoch, uptime, boot in rows:
                remaining_bytes -= len(body) + len(path) + ENVELOPE_BYTES
                if entries and remaining_bytes < 0:
                    break
                made = Moment(epoch, uptime)
                operation = Operation(method, path, body, key, bool(coalescable), made)
                entries.append(Entry(seq, operation, attempts, age_of(made, boot, boot=self._boot, now=now)))
            return entries

        return self._storage.transact(work, [])

    def acknowledge(
        self,
        *,
        delivered: Iterable[Entry] = (),
        rejected: Iterable[tuple[Entry, str]] = (),
        failed: Iterable[Entry] = (),
    ) -> None:
        """Apply the server's answers.

        Args:
            delivered: Entries to remove.
            rejected: Entries to remove, with the reason to remember.
            failed: Entries to keep, with one more attempt counted.
        """
        rejected = list(rejected)
        finished = [(entry.seq,) for entry in [*delivered, *(entry for entry, _ in rejected)]]
        retried = [(entry.seq,) for entry in failed]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany("delete from entries where seq = ?", finished)
            connection.executemany("update entries set attempts = attempts + 1 where seq = ?", retried)
            connection.executemany(
                "insert into refusals (destination, at, key, path, reason) values (?, ?, ?, ?, ?)",
                [
                    (self._destination, self._clock(), entry.operation.idempotency_key, entry.operation.path, reason)
                    for entry, reason in rejected
                ],
            )
            connection.execute(
                "delete from refusals where seq <= (select max(seq) from refusals) - ?", (MAX_REJECTIONS,)
            )

        self._storage.transact(work, None)

    def pending_count(self, *, own: bool = False) -> int:
        """Count the entries for this destination: all, or only those that this process wrote."""
        condition, values = ("and writer = ?", [self._writer]) if own else ("", [])
        query = f"select count(*) from entries where destination = ? {condition}"
        return self._storage.transact(
            lambda connection: int(connection.execute(query, [self._destination, *values]).fetchone()[0]), 0
        )

    def rejections(self, *, since: float = 0.0) -> list[Rejection]:
        """Return recent rejections since an epoch time in seconds, newest first."""
        query = "select key, path, reason, at from refusals where destination = ? and at >= ? order by seq desc"
        return self._storage.transact(
            lambda connection: [Rejection(*row) for row in connection.execute(query, (self._destination, since))], []
        )

    def before_fork(self) -> None:
        """Block other threads and close the file: an SQLite connection must not be carried into a child."""
        self._storage.before_fork()

    def after_fork_in_parent(self) -> None:
        """Unblock the other threads."""
        self._storage.after_fork_in_parent()

    def close(self) -> None:
        """Close the file until the next call; entries that are only in memory are lost. Idempotent."""
        self._storage.close()

    def _trim(self, connection: sqlite3.Connection) -> int:
        """Drop entries beyond the bounds; return how many."""
        span = "select (select max(seq) from entries) - (select min(seq) from entries)"
        # Sequence numbers bound the count from above: most appends need not count.
        if (_scalar(connection, span) or 0) < self._max_entries and _used_bytes(connection) <= self._max_bytes:
            return 0
        before = _count(connection)
        if not self._is_full(connection):
            return 0
        connection.execute(
            "delete from entries where passing and seq not in "
            "(select max(seq) from entries where passing group by destination, path)"
        )
        if self._is_full(connection):
            fitting = _count(connection) * self._max_bytes / max(_used_bytes(connection), 1)
            kept = int(min(self._max_entries, fitting) * TRIM_RATIO)
            connection.execute(
                "delete from entries where seq <= (select seq from entries order by seq desc limit 1 offset ?)", (kept,)
            )
        return before - _count(connection)

    def _is_full(self, connection: sqlite3.Connection) -> bool:
        return _count(connection) > self._max_entries or _used_bytes(connection) > self._max_bytes


def _count(connection: sqlite3.Connection) -> int:
    return _scalar(connection, "select count(*) from entries") or 0


def _used_bytes(connection: sqlite3.Connection) -> int:
    """Size of the pages in use."""
    pages, free, page_size = (
        _scalar(connection, f"pragma {name}") or 0 for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * page_size


def _scalar(connection: sqlite3.Connection, query: str) -> int | None:
    value: int | None = connection.execute(query).fetchone()[0]
    return value
