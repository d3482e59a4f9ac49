"""The embedded PostgreSQL: initialised, started as a direct child that dies with us, and stopped."""

import asyncio
import atexit
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from local_supabase.errors import DataDirectoryError, PostgresError
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
from local_supabase.postgres.postmaster import die_with_parent, is_postgres_over, is_ready, pid_of

SUPERUSER = "supabase_admin"
DATABASE = "postgres"
INIT_TIMEOUT = 120.0
START_TIMEOUT = 60.0
STOP_TIMEOUT = 20.0
ATTEMPTS = 3
LOG_LIMIT = 16 * 1024 * 1024

# Small enough for a laptop that also runs the app; logical decoding is on for whoever wants to replicate.
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


class Postgres:
    """One server over `<data>/postgres`, reached through a private unix socket (on Windows a loopback port)."""

    def __init__(self, data: Path, *, password: str, log: Log) -> None:
        """`password` is the superuser's; `log` receives sentences about changes to the system."""
        self.data = data
        self._cluster = data / "postgres"
        self._password = password
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None
        self._address = ""

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def url(self, role: str, password: str) -> str:
        """A libpq URL for `role`; valid once started, and the same after a restart where there are unix sockets."""
        return f"postgresql://{quote(role, safe='')}:{quote(password, safe='')}@{self._address}"

    async def start(self) -> None:
        """Initialise on first use, recover from a crash, start, and wait until connections are accepted.

        Call it from the main thread: on Linux the server is tied to the life of the thread that starts it.
        """
        programs = find_programs()
        self._check_version()
        account = ensure_account(self._log)
        for attempts_left in reversed(range(ATTEMPTS)):
            if account:
                make_readable(programs, self._log)
                make_reachable(self.data, self._log)
            try:
                await self._start(programs, account)
                return
            except PostgresError:
                # Whoever owns a folder above may take our permission back at any time (test runners do).
                if not attempts_left or not account or is_reachable(self.data):
                    raise
                await self.stop()

    async def wait(self) -> int:
        """Wait until the server ends, and return its exit code."""
        assert self._process is not None
        process = self._process
        await _wait_for(lambda: process.poll() is not None, None, interval=0.1)
        return process.poll() or 0

    async def stop(self) -> None:
        """Stop quickly and in order: sessions are cut, data is flushed. Idempotent."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGINT)
            try:
                await _wait_for(lambda: process.poll() is not None, STOP_TIMEOUT)
            except TimeoutError:
                self._log("PostgreSQL did not stop in time and is killed; it recovers at the next start.")
                process.kill()
                process.wait()
        atexit.unregister(self._kill)
        self._process = None
        if self._output:
            self._output.close()
            self._output = None

    async def _start(self, programs: Path, account: Account | None) -> None:
        if not (self._cluster / "PG_VERSION").exists():
            await self._initialise(programs, account)
        await self.end_orphan()
        arguments = self._listen(account)
        self._output = self._open_log()
        options = {**SETTINGS, **arguments}
        command = [str(programs / "postgres"), "-D", str(self._cluster)]
        command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        self._process = subprocess.Popen(  # noqa: ASYNC220 - must be the main thread's child, see PR_SET_PDEATHSIG
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            cwd="/" if account else None,
            preexec_fn=die_with_parent() if sys.platform == "linux" else None,  # noqa: PLW1509
            start_new_session=sys.platform != "win32",
            **_as_user(account),
        )
        atexit.register(self._kill)
        await self._wait_until_ready()

    def _check_version(self) -> None:
        version_file = self._cluster / "PG_VERSION"
        if version_file.exists() and (found := version_file.read_text().strip()) != str(POSTGRES_VERSION):
            raise DataDirectoryError(
                f"{self._cluster} was made by PostgreSQL {found}, and this is PostgreSQL {POSTGRES_VERSION}: "
                "dump it with the old version, or start again with --reset."
            )

    async def _initialise(self, programs: Path, account: Account | None) -> None:
        # initdb leaves a half-made folder when it is killed; a marker beside PG_VERSION would not survive that either,
        # so it works in a folder of its own that is renamed when complete.
        fresh = self.data / "postgres.new"
        password_file = self.data / ".initdb-password"
        try:
            if fresh.exists():
                await asyncio.to_thread(_remove_tree, fresh)
            fresh.mkdir(mode=0o700)
            password_file.touch(mode=0o600)
            password_file.write_text(self._password)
            if account:
                os.chown(fresh, account.uid, account.gid)
                os.chown(password_file, account.uid, account.gid)
            result = await asyncio.to_thread(
                _run,
                [
                    str(programs / "initdb"),
                    "-D",
                    str(fresh),
                    "-U",
                    SUPERUSER,
                    f"--pwfile={password_file}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    "--no-instructions",
                ],
                account,
            )
        except OSError as error:
            raise DataDirectoryError(f"The database cannot be created in {self.data} ({error}).") from error
        except subprocess.TimeoutExpired as error:
            raise PostgresError(f"initdb did not finish in {INIT_TIMEOUT:.0f} s in {self.data}.") from error
        finally:
            password_file.unlink(missing_ok=True)
        if result.returncode != 0:
            lines = (result.stderr or result.stdout).strip().splitlines() or ["no message"]
            reason = next((line for line in lines if "error:" in line or "FATAL:" in line), lines[-1])
            raise PostgresError(f"initdb failed in {self.data}: {reason}")
        fresh.rename(self._cluster)

    async def end_orphan(self) -> None:
        """End a server over our own data that outlived its parent; a stale pid file PostgreSQL clears by itself."""
        pid = pid_of(self._cluster)
        if pid is None or not is_postgres_over(pid, self._cluster):
            return
        self._log(f"A PostgreSQL without parent (pid {pid}) still runs over {self._cluster}: stopping it.")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT if sys.platform != "win32" else signal.SIGTERM)
        try:
            await _wait_for(lambda: not is_postgres_over(pid, self._cluster), STOP_TIMEOUT)
        except TimeoutError as error:
            raise PostgresError(f"PostgreSQL (pid {pid}) over {self._cluster} does not stop: stop it first.") from error

    def _listen(self, account: Account | None) -> dict[str, str]:
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
        path = self.data / "postgres.log"
        if path.exists() and path.stat().st_size > LOG_LIMIT:
            path.replace(path.with_suffix(".log.old"))
        return open(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600))

    async def _wait_until_ready(self) -> None:
        assert self._process is not None
        process = self._process

        def ready_or_ended() -> bool:
            return process.poll() is not None or is_ready(self._cluster, process.pid)

        try:
            await _wait_for(ready_or_ended, START_TIMEOUT, interval=0.005)
        except TimeoutError as error:
            await self.stop()
            raise PostgresError(f"PostgreSQL did not start in {START_TIMEOUT:.0f} s: {self._last_lines()}") from error
        if process.poll() is not None:
            raise PostgresError(f"PostgreSQL ended while starting: {self._last_lines()}")

    def _last_lines(self) -> str:
        with contextlib.suppress(OSError):
            lines = (self.data / "postgres.log").read_text(errors="replace").strip().splitlines()
            return " / ".join(lines[-3:])
        return f"see {self.data / 'postgres.log'}"

    def _kill(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGINT)


def _run(command: list[str], account: Account | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=INIT_TIMEOUT,
        check=False,
        cwd="/" if account else None,
        **_as_user(account),
    )


def _as_user(account: Account | None) -> dict[str, Any]:
    return {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}


def _remove_tree(path: Path) -> None:
    import shutil  # noqa: PLC0415 - needed after a crash only

    shutil.rmtree(path)


async def _wait_for(condition: Callable[[], bool], limit: float | None, *, interval: float = 0.01) -> None:
    async with asyncio.timeout(limit):
        while not condition():  # noqa: ASYNC110 - another process changes it
            await asyncio.sleep(interval)
