"""App process for tests: runs `main.py` and reads its console line by line."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from local_supabase.status import LocalSupabaseStatus
from tests.speed import deadline

ROOT = Path(__file__).parent.parent
START_TIMEOUT = 60
STOP_TIMEOUT = 30
OURS = ("LIVEWATCH_", "SUPABASE_", "DATABASE_URL")


class AppProcess:
    """Running app; `url` is its address, `lines` its console output, which is read until the process ends."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self._address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._reading = asyncio.create_task(self._read(), name="console of the app")

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def url(self) -> str:
        return self._address.result()

    async def ready(self) -> None:
        """Wait for the address; fails with the console output if the app exits instead."""
        ends: set[asyncio.Future[Any]] = {self._address, self._reading}
        await asyncio.wait(ends, timeout=deadline(START_TIMEOUT), return_when=asyncio.FIRST_COMPLETED)
        assert self._address.done(), "the app did not start:\n" + "\n".join(self.lines)

    async def ended(self) -> int:
        """Wait for the exit of the process; returns the exit code."""
        async with asyncio.timeout(deadline(STOP_TIMEOUT)):
            await self._reading
            return await self.process.wait()

    async def stop(self) -> int:
        """Send SIGINT and wait for the exit; returns the exit code."""
        # `send_signal` would reap the process without asyncio noticing.
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGINT)
        return await self.ended()

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode(errors="replace").rstrip())
            if match := re.search(r"open (http://\S+)", self.lines[-1]):
                self._address.set_result(match[1])


def project_settings(status: LocalSupabaseStatus, data: Path) -> dict[str, str]:
    """Return the environment that points an app at a Supabase project."""
    assert status.app_database_url
    return {
        "SUPABASE_URL": status.api_url,
        "SUPABASE_ANON_KEY": status.anon_key.get_secret_value(),
        "DATABASE_URL": status.app_database_url.get_secret_value(),
        "LIVEWATCH_DATA": str(data),
    }


async def launch(
    environment: Mapping[str, str], *, root: Path = ROOT, command: Sequence[str] = ("main.py",)
) -> AppProcess:
    """Start `main.py`, or `command`, with exactly these settings; the caller must stop it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        cwd=root,
        env={**inherited, "LIVEWATCH_PORT": "0", **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    return AppProcess(process)


@asynccontextmanager
async def running(
    environment: Mapping[str, str], *, root: Path = ROOT, command: Sequence[str] = ("main.py",)
) -> AsyncIterator[AppProcess]:
    """Start an app, wait until it is ready, and stop it at the end."""
    app = await launch(environment, root=root, command=command)
    try:
        await app.ready()
        yield app
    finally:
        await app.stop()
