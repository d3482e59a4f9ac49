"""The data directory: created, checked, and locked by one running instance."""

import contextlib
import os
import re
import shutil
import sys
from pathlib import Path
from typing import IO, Self

from local_supabase.errors import AlreadyRunningError, DataDirectoryError

LOCK_NAME = "lock"
KNOWN_NAMES = {
    LOCK_NAME, ".initdb-password", "extensions", "mail.jsonl", "postgres", "postgres.new", "postgres.log",
    "postgres.log.old", "secrets.json", "socket", "status.json",
}  # fmt: skip
TEMPORARY = re.compile(r"\.(status|secrets)\.json\.\d+")
"""A file whose writer was killed before it replaced the old one."""


class DataDirectory:
    """Exclusive lock on a directory; the operating system releases it when the process ends."""

    def __init__(self, path: Path, lock: IO[str]) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def open(cls, path: Path) -> Self:
        """Create the directory (mode 0700) if necessary and lock it.

        Raises:
            AlreadyRunningError: another process holds the lock; names its pid.
            DataDirectoryError: the directory cannot be written.
        """
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = open(path / LOCK_NAME, "a+")  # noqa: SIM115 - open until `close`
            keep_owner(path / LOCK_NAME)
        except OSError as error:
            raise _not_writable(path, error) from error
        if not _try_lock(lock):
            lock.seek(0)
            pid = lock.read().strip() or "unknown"
            lock.close()
            raise AlreadyRunningError(
                f"The data directory {path} is in use by another local Supabase (pid {pid}): "
                "stop it, or choose another directory with --data."
            )
        try:
            lock.seek(0)
            lock.truncate()
            lock.write(str(os.getpid()))
            lock.flush()
        except OSError as error:
            raise _not_writable(path, error) from error
        return cls(path, lock)

    def clear(self) -> None:
        """Delete everything but the lock; PostgreSQL must not be running.

        Raises:
            DataDirectoryError: the directory holds files that no local Supabase wrote; nothing is deleted.
        """
        contents = list(self.path.iterdir())
        if any(path.name not in KNOWN_NAMES and not TEMPORARY.fullmatch(path.name) for path in contents):
            raise DataDirectoryError(
                f"{self.path} holds files that are not ours: delete them, or choose another with --data."
            )
        for path in contents:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != LOCK_NAME:
                path.unlink()

    def close(self) -> None:
        """Release the lock; idempotent."""
        with contextlib.suppress(OSError, ValueError):
            self._lock.close()


def keep_owner(path: Path) -> None:
    """Give a file that root has written in somebody's data directory to the directory's owner, who uses it later."""
    if sys.platform != "win32" and os.geteuid() == 0 and (folder := path.parent.stat()).st_uid != 0:
        os.chown(path, folder.st_uid, folder.st_gid, follow_symlinks=False)


def _not_writable(path: Path, error: OSError) -> DataDirectoryError:
    return DataDirectoryError(
        f"The data directory {path} cannot be written ({error.strerror}): make room, or choose another with --data."
    )


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: IO[str]) -> bool:
        try:
            # Beyond the content: Windows denies reading locked bytes, and the pid has to stay readable.
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
