"""Fixtures of the SDK's tests: a fake server in this process and an environment that points to it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from livewatch.reporting.process import PROCESS

from tests.sdk.api_server import KEY, ApiServer, serving

SDK = Path(__file__).parent.parent.parent / "sdk"
OURS = ("LIVEWATCH_URL", "LIVEWATCH_KEY", "LIVEWATCH_SPOOL", "LIVEWATCH_RUN")
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(autouse=True, scope="session")
def heeded_signals() -> None:
    """Restore SIGINT, which shells make background jobs, and so their children, ignore."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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


@pytest.fixture
def start(environment: Mapping[str, str]) -> Iterator[Start]:
    """Start `python -c CODE` or `python ARGUMENTS` reporting to the server; kill what still runs at the end."""
    started: list[subprocess.Popen[str]] = []

    def begin(*command: str, **variables: str) -> subprocess.Popen[str]:
        arguments = ["-c", command[0]] if len(command) == 1 else command
        inherited = {name: value for name, value in os.environ.items() if name not in OURS}
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env={**inherited, **environment, "PYTHONPATH": str(SDK), **variables},
            stdin=subprocess.DEVNULL,
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
