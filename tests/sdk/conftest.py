"""Fixtures of the SDK's tests: a fake server in this process and an environment that points to it."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from livewatch.delivery.backoff import Backoff
from livewatch.delivery.delivery_worker import DeliveryWorker
from livewatch.delivery.disk_queue import DiskQueue
from livewatch.reporting.process import PROCESS

from tests.clock import Clock
from tests.sdk.api_server import KEY, ApiServer, serving
from tests.sdk.delivery_bench import Bench, FakeLock, FakeTransport
from tests.speed import deadline, wait_until

SDK = Path(__file__).parent.parent.parent / "sdk"
OURS = ("LIVEWATCH_URL", "LIVEWATCH_KEY", "LIVEWATCH_SPOOL", "LIVEWATCH_RUN")
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(autouse=True, scope="session")
def heeded_signals() -> None:
    """Restore what children inherit as ignored: SIGINT in background jobs of shells, SIGHUP below `nohup`."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.fixture(autouse=True, scope="session")
def no_login_of_the_developer() -> Iterator[None]:
    """Keep the SDK, here and in programs that tests start, from reading the real file of `livewatch login`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIVEWATCH_CONFIG", "off")
        # Its time is no part of what the tests of reports compare; test_environment.py turns it on.
        patch.setenv("LIVEWATCH_ENVIRONMENT", "off")
        yield


@pytest.fixture(autouse=True)
def closed_queues(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test that leaves a queue open: since Python 3.13 its collection warns, in any later test."""
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def recorded(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **kwargs)
        opened.append(connection)
        return connection

    monkeypatch.setattr(sqlite3, "connect", recorded)
    yield
    # A worker that was closed amid a request closes its queue after it.
    wait_until(lambda: not any(map(_is_open, opened)), what="every queue is closed")


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with serving(ApiServer()) as server:
        yield server


@pytest.fixture
def environment(server: ApiServer, tmp_path: Path) -> dict[str, str]:
    return {"LIVEWATCH_URL": server.url, "LIVEWATCH_KEY": KEY, "LIVEWATCH_SPOOL": str(tmp_path / "spool.sqlite")}


@pytest.fixture
def reporting(
    server: ApiServer, environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[ApiServer]:
    """Make this process report to the server."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    yield server
    server.faults.clear()
    PROCESS.close(1.0)


@pytest.fixture
def off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset all settings."""
    for name in OURS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session", autouse=True)
def _heed_signals() -> None:
    """Heed the signals of a keyboard, which a shell has its background jobs and all their programs ignore."""
    for name in ("SIGINT", "SIGQUIT"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def start(environment: Mapping[str, str]) -> Iterator[Start]:
    """Start `python -c CODE` or `python ARGUMENTS` reporting to the server; kill what still runs at the end."""
    started: list[subprocess.Popen[str]] = []

    def begin(*command: str, stdin: int = subprocess.DEVNULL, **variables: str) -> subprocess.Popen[str]:
        arguments = ["-c", command[0]] if len(command) == 1 else command
        inherited = {name: value for name, value in os.environ.items() if name not in OURS}
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env={**inherited, **environment, "PYTHONPATH": str(SDK), **variables},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A delivery worker whose rounds the test starts, and whose clock it moves."""
    clock, lock, transport, queue, runs = Clock(), FakeLock(), FakeTransport(), DiskQueue(None, "d"), list[str]()
    backoff = Backoff(uniform=lambda _, high: high, clock=clock)
    worker = DeliveryWorker(
        transport, queue, lock, lambda: list(runs), heartbeat_seconds=15.0, backoff=backoff, clock=clock
    )
    yield Bench(transport, queue, lock, clock, runs, backoff, worker)
    worker.close(deadline(1))


def _is_open(connection: sqlite3.Connection) -> bool:
    try:
        connection.total_changes  # noqa: B018
    except sqlite3.ProgrammingError:
        return False
    return True
