"""The postmaster process: pid file, readiness, and shutdown with its parent."""

import contextlib
import ctypes
import importlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

PR_SET_PDEATHSIG = 1
STATUS_LINE = 7


def die_with_parent() -> Callable[[], None]:
    """Return a `preexec_fn` that makes Linux send SIGINT (fast shutdown) when the parent's thread ends.

    Call the result after changing the user, which clears the setting: prctl(2), PR_SET_PDEATHSIG.
    """
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def hook() -> None:
        prctl(PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return hook


def read_pid(cluster: Path) -> int | None:
    """Return the pid in `postmaster.pid`, None if there is none."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int((cluster / "postmaster.pid").read_text().splitlines()[0])
    return None


def is_postgres(pid: int, cluster: Path) -> bool:
    """Return whether the process runs PostgreSQL on this cluster; pids are reused."""
    psutil = importlib.import_module("psutil")  # slow, and only needed after a crash
    with contextlib.suppress(psutil.Error):
        command = psutil.Process(pid).cmdline()
        return bool(command) and Path(command[0]).stem == "postgres" and str(cluster) in command
    return False


def is_ready(cluster: Path, pid: int) -> bool:
    """Return whether the server with this pid accepts connections."""
    # The first line holds the pid, the eighth the status: PostgreSQL's src/include/utils/pidfile.h.
    with contextlib.suppress(OSError):
        lines = (cluster / "postmaster.pid").read_text().splitlines()
        return len(lines) > STATUS_LINE and lines[0].strip() == str(pid) and lines[STATUS_LINE].strip() == "ready"
    return False
