"""The delivery lock: lets one of the processes that share a queue deliver at a time."""

import os
import sys
from contextlib import suppress
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

FIRST_BYTE = 1


class DeliveryLock:
    """Locks one byte of a file per destination; the kernel releases it when the process ends, even by SIGKILL.

    The lock belongs to the process: it excludes neither a forked child nor a second lock in the same process.

    Args:
        file: The lock file; None if the queue is not shared, which makes every `acquire` succeed.
        destination: Hex digits that identify server and key.
    """

    def __init__(self, file: Path | None, destination: str) -> None:
        self._file = file
        self._byte = FIRST_BYTE + int(destination[:7], 16)
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Acquire without waiting; False only if another process holds it, True where locks are unavailable."""
        if self._file is None:
            return True
        try:
            if self._descriptor is None:
                self._descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        except OSError:
            return True
        try:
            if sys.platform == "win32":
                os.lseek(self._descriptor, self._byte, os.SEEK_SET)
                msvcrt.locking(self._descriptor, msvcrt.LK_NBLCK, 1)
            else:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, self._byte)
        except (BlockingIOError, PermissionError):
            return False
        except OSError:
            return True
        return True

    def release(self) -> None:
        """Release the lock and keep the file open. Idempotent."""
        if self._descriptor is None:
            return
        with suppress(OSError):
            if sys.platform == "win32":
                os.lseek(self._descriptor, self._byte, os.SEEK_SET)
                msvcrt.locking(self._descriptor, msvcrt.LK_UNLCK, 1)
            else:
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, self._byte)

    def close(self) -> None:
        """Release the lock and close the file. Idempotent."""
        self.release()
        if self._descriptor is not None:
            with suppress(OSError):
                os.close(self._descriptor)
        self._descriptor = None
