"""The data directory: made, checked, and held by one running instance at a time."""

import contextlib
import os
import shutil
import sys
from pathlib import Path
from typing import IO, Self

from local_supabase.errors import AlreadyRunningError, DataDirectoryError

LOCK_NAME = "lock"


class DataDirectory:
    """An exclusive hold on a directory; the lock ends with the process, however it ends."""

    def __init__(self, path: Path, lock: IO[str]) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def open(cls, path: Path) -> Self:
        """Make the directory (mode 0700) and take its lock.

        Raises AlreadyRunningError with the pid of the holder, DataDirectoryError when it cannot be written.
        """
        path = path.expanduser().absolute()
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = open(path / LOCK_NAME, "a+")  # noqa: SIM115 - held for the life of the process
        except OSError as error:
            raise DataDirectoryError(
                f"The data directory {path} cannot be written ({error.strerror}): choose another with --data."
            ) from error
        if not _try_lock(lock):
            lock.seek(0)
            pid = lock.read().strip() or "unknown"
            lock.close()
            raise AlreadyRunningError(
                f"The data directory {path} is in use by another local Supabase (pid {pid}): "
                "stop it, or choose another directory with --data."
            )
        lock.seek(0)
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        return cls(path, lock)

    def empty(self) -> None:
        """Remove everything but the lock; only while no PostgreSQL runs over it."""
        for path in self.path.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != LOCK_NAME:
                path.unlink()

    def close(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._lock.close()


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: IO[str]) -> bool:
        try:
            file.seek(1 << 20)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(file: IO[str]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
