"""The embedded PostgreSQL server: started as a direct child that stops with its parent."""

import atexit
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from local_supabase.errors import DataDirectoryError, PostgresError
from local_supabase.postgres.data_directory import keep_owner
from local_supabase.postgres.extensions import settings_for
from local_supabase.postgres.initdb import create_cluster
from local_supabase.postgres.installation import (
    POSTGRES_VERSION,
    Account,
    Log,
    ensure_account,
    find_programs,
    is_reachable,
    make_reachable,
    make_readable,
    socket_folder,
)
from local_supabase.postgres.postmaster import die_with_parent, is_postgres, is_ready, read_pid
from local_supabase.retry import poll

SUPERUSER = "supabase_admin"
DATABASE = "postgres"
START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 20.0
MAX_START_ATTEMPTS = 3
MAX_LOG_BYTES = 16 * 1024 * 1024
LOG_NAME = "postgres.log"
LOG_LINES_IN_ERRORS = 3
# Without the refusals of clients that connect while the server starts or stops.
LOG_REASON = re.compile(r"(?:PANIC|FATAL): (?!.*the database system is).*|LOG: +could not .*|^postgres: .*")
MAX_LOG_TAIL_BYTES = 16 * 1024
FAST_SHUTDOWN = signal.SIGTERM if sys.platform == "win32" else signal.SIGINT

# Sized for a laptop that also runs the application. Realtime's table changes need logical decoding.
SETTINGS = {
    "wal_level": "logical",
    "max_replication_slots": "4",
    "max_wal_senders": "4",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "io_method": "sync",
    "max_parallel_workers": "0",
    "max_worker_processes": "4",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "cluster_name": "local_supabase",
}


class EmbeddedPostgres:
    """One server on `<data>/postgres`; listens on a private unix socket, on Windows on a loopback port."""

    def __init__(self, data: Path, *, password: str, log: Log) -> None:
        """Create a stopped server.

        Args:
            data: the data directory.
            password: the superuser's password.
            log: receives a sentence for each change to the system, such as permissions.
        """
        self.data = data
        self._cluster = data / "postgres"
        self._password = password
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None
        self._log_begins_at = 0
        self._address = ""

    def url(self, role: str, password: str) -> str:
        """Return a libpq URL for `role`; valid after `start`, and stable over restarts with unix sockets."""
        return f"postgresql://{quote(role, safe='')}:{quote(password, safe='')}@{self._address}"

    async def start(self) -> None:
        """Create the cluster on first use, start the server and wait until it accepts connections.

        Call it on the main thread: on Linux the server stops when the thread that started it ends.

        Raises:
            DataDirectoryError: another PostgreSQL version created the cluster, or it cannot be written.
            PostgresError: the server is not installed, or did not start in time.
        """
        programs = find_programs()
        self._check_version()
        account = ensure_account(self._cluster, self._log)
        for attempts_left in reversed(range(MAX_START_ATTEMPTS)):
            if account:
                make_readable(programs, self._log)
                make_reachable(self.data, self._log)
            try:
                await self._start(programs, account)
                return
            except PostgresError as error:
                # The owner of a parent folder may revoke our permission at any time; pytest does. By now another
                # instance below that folder may have granted it again.
                is_revoked = not is_reachable(self.data) or "Permission denied" in str(error)
                if not attempts_left or not account or not is_revoked:
                    raise
                await self.stop()

    async def wait(self) -> int:
        """Wait until the server exits; return its exit code."""
        assert self._process is not None
        process = self._process
        await poll(lambda: process.poll() is not None, every=0.1, within=None)
        return process.poll() or 0

    async def stop(self) -> None:
        """Shut down fast: terminate sessions and flush data. Idempotent."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(FAST_SHUTDOWN)
            try:
                await poll(lambda: process.poll() is not None, every=0.01, within=STOP_TIMEOUT_SECONDS)
            except TimeoutError:
                self._log(f"PostgreSQL did not stop within {STOP_TIMEOUT_SECONDS:.0f} s: killing it.")
                process.kill()
                process.wait()
        atexit.unregister(self._shut_down)
        self._process = None
        if self._output:
            self._output.close()
            self._output = None

    async def stop_orphan(self) -> None:
        """Stop a server that still runs on this cluster after its parent died; raises PostgresError.

        PostgreSQL itself removes a stale pid file.
        """
        pid = read_pid(self._cluster)
        if pid is None or not is_postgres(pid, self._cluster):
            return
        self._log(f"Stopping an orphaned PostgreSQL (pid {pid}) on {self._cluster}.")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, FAST_SHUTDOWN)
        try:
            await poll(lambda: not is_postgres(pid, self._cluster), every=0.01, within=STOP_TIMEOUT_SECONDS)
        except TimeoutError as error:
            raise PostgresError(f"PostgreSQL (pid {pid}) on {self._cluster} does not stop: stop it first.") from error

    async def _start(self, programs: Path, account: Account | None) -> None:
        if not (self._cluster / "PG_VERSION").exists():
            await create_cluster(
                self._cluster, programs=programs, account=account, superuser=SUPERUSER, password=self._password
            )
        await self.stop_orphan()
        extensions = settings_for(programs, self.data, account, self._log)
        settings = {**SETTINGS, **extensions, **self._listen(account)}
        command = [str(programs / "postgres"), "-D", str(self._cluster)]
        command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        options: dict[str, Any] = account.as_process_user() if account else {}
        self._output = self._open_log()
        self._process = subprocess.Popen(  # noqa: ASYNC220 - PR_SET_PDEATHSIG requires the main thread
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent() if sys.platform == "linux" else None,  # noqa: PLW1509
            start_new_session=sys.platform != "win32",
            **options,
        )
        atexit.register(self._shut_down)
        await self._wait_until_ready()

    def _check_version(self) -> None:
        version_file = self._cluster / "PG_VERSION"
        if version_file.exists() and (found := version_file.read_text().strip()) != str(POSTGRES_VERSION):
            raise DataDirectoryError(
                f"{self._cluster} was made by PostgreSQL {found}, and this is PostgreSQL {POSTGRES_VERSION}: "
                "dump it with the old version, or delete it with --reset."
            )

    def _listen(self, account: Account | None) -> dict[str, str]:
        """Choose the address; return the settings for it."""
        if sys.platform == "win32":
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            self._address = f"127.0.0.1:{port}/{DATABASE}"
            return {"listen_addresses": "127.0.0.1", "port": str(port)}
        folder = socket_folder(self.data, account)
        self._address = f"/{DATABASE}?host={quote(str(folder), safe='')}"
        quoted = '"' + str(folder).replace('"', '""') + '"'
        return {"listen_addresses": "", "unix_socket_directories": quoted, "unix_socket_permissions": "0700"}

    def _open_log(self) -> IO[bytes]:
        path = self.data / LOG_NAME
        if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
            path.replace(path.with_suffix(".log.old"))
        path.touch(mode=0o600)
        keep_owner(path)
        self._log_begins_at = path.stat().st_size
        return open(path, "ab")

    async def _wait_until_ready(self) -> None:
        assert self._process is not None
        process = self._process

        def is_ready_or_over() -> bool:
            return process.poll() is not None or is_ready(self._cluster, process.pid)

        try:
            await poll(is_ready_or_over, every=0.005, within=START_TIMEOUT_SECONDS)
        except TimeoutError as error:
            await self.stop()
            raise PostgresError(
                f"PostgreSQL did not start within {START_TIMEOUT_SECONDS:.0f} s: {self.end_of_log()}"
            ) from error
        if process.poll() is not None:
            raise PostgresError(f"PostgreSQL exited while starting: {self.end_of_log()}")

    def end_of_log(self) -> str:
        """Return the last reasons in the log since the server was started, and where it is."""
        path = self.data / LOG_NAME
        reasons: list[str] = []
        with contextlib.suppress(OSError), open(path, "rb") as file:
            file.seek(max(self._log_begins_at, path.stat().st_size - MAX_LOG_TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
            reasons = [match[0] for line in lines if (match := LOG_REASON.search(line))] or lines
        # A server that is started again and again gives the same reason under other numbers of processes.
        unique = {re.sub(r"\d+", "", reason): reason for reason in reasons}
        return " / ".join([*list(unique.values())[-LOG_LINES_IN_ERRORS:], f"log: {path}"])

    def _shut_down(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(FAST_SHUTDOWN)
