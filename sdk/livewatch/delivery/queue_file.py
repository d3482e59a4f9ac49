"""The queue file: an SQLite file that processes share, with recovery from corrupt, locked and unusable files."""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from livewatch.delivery.clock import boot_id, uptime

MAX_AGE_SECONDS = 7 * 24 * 3600.0
BUSY_TIMEOUT_SECONDS = 2.0

logger = logging.getLogger("livewatch")

SCHEMA = """
create table if not exists entries (
    seq integer primary key autoincrement, destination text not null, writer text not null, made_at real not null,
    method text not null, path text not null, body text not null, key text not null, passing integer not null,
    attempts integer not null default 0, uptime real not null default 0, boot text not null default ''
);
create index if not exists entries_by_destination on entries (destination, seq);
create table if not exists refusals (
    seq integer primary key autoincrement, destination text not null, at real not null, key text not null,
    path text not null, reason text not null
);
"""
"""The file format. Processes with other versions of this package share the file: add to it, never rename."""

# Of files that earlier versions made.
ADDED_COLUMNS = {"uptime": "real not null default 0", "boot": "text not null default ''"}

T = TypeVar("T")
Fallback = TypeVar("Fallback")


class QueueFile:
    """Runs short transactions on a file that is opened by the first one. Thread-safe; no method raises.

    An unusable file is replaced by memory, with a warning; a corrupt one is renamed to `*.damaged`. Entries survive
    the end of the process, but not always a power failure, since nothing is synced.

    Args:
        path: The SQLite file; None to keep everything in memory.
        clock: Epoch time in seconds.
    """

    def __init__(self, path: Path | None, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        """The SQLite file; None while everything is in memory."""
        self._clock = clock
        self._boot = boot_id()
        # Reentrant: a finalizer may run, and report, wherever this thread is.
        self._mutex = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    @property
    def is_open(self) -> bool:
        """Whether a connection is open."""
        return self._connection is not None

    def transact(self, work: Callable[[sqlite3.Connection], T], fallback: Fallback) -> T | Fallback:
        """Run `work` in a transaction, a second time after recovering from an error; then return `fallback`."""
        with self._mutex:
            if self._connection is not None and self._connection.in_transaction:
                # A signal handler or a finalizer reports while this thread is amid a transaction.
                return work(self._connection)
            for is_last in (False, True):
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
                    is_locked = isinstance(error, sqlite3.OperationalError) and "locked" in str(error)
                    if not is_last and not is_locked:
                        self._recover(error)
        return fallback

    def before_fork(self) -> None:
        """Block other threads and close the file: an SQLite connection must not be carried into a child."""
        self._mutex.acquire()
        if self.path is not None:
            self.close()

    def after_fork_in_parent(self) -> None:
        """Unblock the other threads."""
        self._mutex.release()

    def close(self) -> None:
        """Close the file until the next call; entries that are only in memory are lost. Idempotent."""
        with self._mutex:
            connection, self._connection = self._connection, None
            if connection is not None:
                with suppress(sqlite3.Error):
                    connection.close()

    def _recover(self, error: Exception) -> None:
        """Rename a corrupt file; where there can be no file, continue in memory."""
        self.close()
        # The class itself, which stands for a corrupt file; its subclasses are other errors.
        if type(error) is sqlite3.DatabaseError and self.path is not None:
            with suppress(OSError):
                self.path.replace(self.path.with_name(f"{self.path.name}.damaged"))
                return
        if self.path is not None:
            logger.warning(
                "Livewatch: the disk queue %s cannot be used (%s): updates are queued in memory and lost with the "
                "process. Set LIVEWATCH_SPOOL to a writable file.",
                self.path,
                error,
            )
        self.path = None

    def _open(self) -> sqlite3.Connection:
        if self.path is not None:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Created before SQLite does, so that no other user can read it.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(
            self.path or ":memory:", timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            # Not WAL: it does not work on network file systems, where homes often are.
            connection.execute("pragma journal_mode = truncate").fetchone()
            connection.execute("pragma synchronous = off")
            connection.executescript(SCHEMA)
            present = {row[1] for row in connection.execute("pragma table_info(entries)")}
            for name, definition in ADDED_COLUMNS.items():
                if name not in present:
                    connection.execute(f"alter table entries add column {name} {definition}")
            # An entry of this boot is as old as it is, whatever the clock was set to since.
            connection.execute(
                "delete from entries where case boot when ? then ? - uptime else ? - made_at end > ?",
                (self._boot, uptime(), self._clock(), MAX_AGE_SECONDS),
            )
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection
