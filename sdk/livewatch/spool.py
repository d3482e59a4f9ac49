"""The spool: operations that are not delivered yet, in order, in a bounded file that outlives the process."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from livewatch.operations import Operation

MAX_ENTRIES = 50_000
MAX_BYTES = 64 * 2**20
# A full spool is cut to this part of its bounds, so that it is not cut anew with each operation.
ROOM = 0.9
MAX_AGE = 7 * 24 * 3600.0
BUSY_TIMEOUT = 2.0
REMEMBERED_REFUSALS = 100
# What a batch adds to an operation's body and path.
ENVELOPE = 120

SCHEMA = """
create table if not exists entries (
    seq integer primary key autoincrement, destination text not null, writer text not null, made_at real not null,
    method text not null, path text not null, body text not null, key text not null, passing integer not null,
    attempts integer not null default 0
);
create index if not exists entries_by_destination on entries (destination, seq);
create table if not exists refusals (
    seq integer primary key autoincrement, destination text not null, at real not null, key text not null,
    path text not null, reason text not null
);
"""

T = TypeVar("T")
Otherwise = TypeVar("Otherwise")


@dataclass(frozen=True)
class Entry:
    """An operation in the spool; `attempts` counts the times that it alone failed."""

    seq: int
    operation: Operation
    attempts: int


@dataclass(frozen=True)
class Refusal:
    """An operation that the server will never take, and why."""

    key: str
    path: str
    reason: str
    at: float


class Spool:
    """Shared by all processes of a user; every call is a short transaction, safe from any thread, and never raises.

    When the file cannot be used, it goes on in memory. There is no journal to be synced: what is in the file survives
    the end of the process, not always that of the machine; a file that this damaged is put aside.
    """

    def __init__(self, file: Path | None, destination: str, *, entries: int = MAX_ENTRIES) -> None:
        self._file = file
        self._destination = destination
        self._most = entries
        self._writer = os.urandom(8).hex()
        # Reentrant: a finalizer may run, and report, wherever this thread is.
        self._mutex = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self.dropped = 0

    @property
    def lock_file(self) -> Path | None:
        """Beside the spool; None while the spool is in memory."""
        return self._file and self._file.with_name(f"{self._file.name}.lock")

    @property
    def file(self) -> Path | None:
        return self._file

    def append(self, operations: Sequence[Operation]) -> bool:
        """Keep them, after all that is there; False when that could not be done now.

        When the spool is full, what is passing gives way first, then what is oldest.
        """
        now = time.time()
        rows = [
            (self._destination, self._writer, now, each.method, each.path, each.body, each.key, int(each.passing))
            for each in operations
        ]

        def work(connection: sqlite3.Connection) -> int:
            connection.executemany(
                "insert into entries (destination, writer, made_at, method, path, body, key, passing) "
                "values (?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
            return self._trim(connection)

        dropped = self._do(work, None)
        self.dropped += dropped or 0
        return dropped is not None

    def head(self, most: int, size: int) -> list[Entry]:
        """The oldest entries, at most so many with at most so many characters of bodies, but one at least."""

        def work(connection: sqlite3.Connection) -> list[Entry]:
            rows = connection.execute(
                "select seq, method, path, body, key, passing, attempts from entries where destination = ? "
                "order by seq limit ?",
                (self._destination, most),
            )
            entries: list[Entry] = []
            room = size
            for seq, method, path, body, key, passing, attempts in rows:
                room -= len(body) + len(path) + ENVELOPE
                if entries and room < 0:
                    break
                entries.append(Entry(seq, Operation(method, path, body, key, bool(passing)), attempts))
            return entries

        return self._do(work, [])

    def settle(self, *, done: Iterable[Entry], refused: Iterable[tuple[Entry, str]], failed: Iterable[Entry]) -> None:
        """Forget what was delivered and what is refused, and count an attempt for what failed."""
        refused = list(refused)
        gone = [(entry.seq,) for entry in [*done, *(entry for entry, _ in refused)]]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany("delete from entries where seq = ?", gone)
            connection.executemany(
                "update entries set attempts = attempts + 1 where seq = ?", [(entry.seq,) for entry in failed]
            )
            connection.executemany(
                "insert into refusals (destination, at, key, path, reason) values (?, ?, ?, ?, ?)",
                [
                    (self._destination, time.time(), entry.operation.key, entry.operation.path, reason)
                    for entry, reason in refused
                ],
            )
            connection.execute(
                "delete from refusals where seq <= (select max(seq) from refusals) - ?", (REMEMBERED_REFUSALS,)
            )

        self._do(work, None)

    def waiting(self, *, own: bool = False) -> int:
        """How many entries wait for this destination: all, or those of this process."""
        condition, values = ("and writer = ?", [self._writer]) if own else ("", [])
        query = f"select count(*) from entries where destination = ? {condition}"
        return self._do(
            lambda connection: int(connection.execute(query, [self._destination, *values]).fetchone()[0]), 0
        )

    def refusals(self, *, since: float = 0.0) -> list[Refusal]:
        """What the server refused lately, the newest first."""
        query = "select key, path, reason, at from refusals where destination = ? and at >= ? order by seq desc"
        return self._do(
            lambda connection: [Refusal(*row) for row in connection.execute(query, (self._destination, since))], []
        )

    def before_fork(self) -> None:
        """Hold still: a connection of SQLite must not be carried into a child."""
        self._mutex.acquire()
        if self._file is not None:
            self.close()

    def after_fork(self) -> None:
        """In the parent."""
        self._mutex.release()

    def close(self) -> None:
        """Let go of the file until the next call; what is only in memory is lost. Idempotent."""
        with self._mutex:
            connection, self._connection = self._connection, None
            if connection is not None:
                with suppress(sqlite3.Error):
                    connection.close()

    def _do(self, work: Callable[[sqlite3.Connection], T], otherwise: Otherwise) -> T | Otherwise:
        with self._mutex:
            for last in (False, True):
                try:
                    connection = self._connection or self._open()
                    connection.execute("begin immediate")
                    try:
                        result = work(connection)
                        connection.execute("commit")
                        return result
                    except BaseException:
                        connection.execute("rollback")
                        raise
                except (sqlite3.Error, OSError) as error:
                    busy = isinstance(error, sqlite3.OperationalError) and "locked" in str(error)
                    if not last and not busy:
                        self._do_without(error)
        return otherwise

    def _do_without(self, error: Exception) -> None:
        """Put a damaged file aside; where none can be had, go on in memory."""
        self.close()
        damaged = isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
        if damaged and self._file is not None:
            with suppress(OSError):
                self._file.replace(self._file.with_name(f"{self._file.name}.damaged"))
                return
        self._file = None

    def _open(self) -> sqlite3.Connection:
        if self._file is not None:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Made by us before SQLite does, so that nobody else may read it.
            os.close(os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(
            self._file or ":memory:", timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        try:
            # Not WAL: homes are often on a network file system, where it does not work.
            connection.execute("pragma journal_mode = truncate").fetchone()
            connection.execute("pragma synchronous = off")
            connection.executescript(SCHEMA)
            connection.execute("delete from entries where made_at < ?", (time.time() - MAX_AGE,))
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _trim(self, connection: sqlite3.Connection) -> int:
        """Keep within the bounds; returns how many entries were dropped."""

        def size() -> int:
            pages, free, bytes_of_a_page = (
                connection.execute(f"pragma {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
            return int((pages - free) * bytes_of_a_page)

        def count() -> int:
            return int(connection.execute("select count(*) from entries").fetchone()[0])

        span = "select (select max(seq) from entries) - (select min(seq) from entries)"
        if (connection.execute(span).fetchone()[0] or 0) < self._most and size() <= MAX_BYTES:
            return 0
        before = count()
        if before <= self._most and size() <= MAX_BYTES:
            return 0
        connection.execute(
            "delete from entries where passing and seq not in "
            "(select max(seq) from entries where passing group by destination, path)"
        )
        left = count()
        if left > self._most or size() > MAX_BYTES:
            keep = int(min(self._most, left * MAX_BYTES / max(size(), 1)) * ROOM)
            connection.execute(
                "delete from entries where seq <= (select seq from entries order by seq desc limit 1 offset ?)", (keep,)
            )
        return before - count()
