"""The postmaster as a process: its pid file, its readiness, and its tie to its parent."""

import contextlib
import ctypes
import importlib
import os
import signal
from collections.abc import Callable
from pathlib import Path


def die_with_parent() -> Callable[[], None]:
    """Return a hook for the child, run after it changed user: the kernel sends SIGINT when our main thread ends.

    SIGINT is PostgreSQL's fast shutdown. prctl(2): the setting is cleared by a change of user, hence the order.
    """
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()
    set_parent_death_signal = 1

    def hook() -> None:
        prctl(set_parent_death_signal, int(signal.SIGINT), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return hook


def pid_of(cluster: Path) -> int | None:
    """The process that says it serves a cluster, None when there is no pid file."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int((cluster / "postmaster.pid").read_text().splitlines()[0])
    return None


def is_postgres_over(pid: int, cluster: Path) -> bool:
    """Whether a process is a PostgreSQL over this cluster, and not another that got the same number."""
    psutil = importlib.import_module("psutil")  # slow, and needed after a crash only
    with contextlib.suppress(psutil.Error):
        command = psutil.Process(pid).cmdline()
        return bool(command) and Path(command[0]).stem == "postgres" and str(cluster) in command
    return False


def is_ready(cluster: Path, pid: int) -> bool:
    """Whether the server with this pid accepts connections."""
    # postmaster.pid: the pid first, the state in the eighth line (PostgreSQL's pidfile.h).
    with contextlib.suppress(OSError):
        lines = (cluster / "postmaster.pid").read_text().splitlines()
        return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"
    return False
