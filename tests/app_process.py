"""The app as a user starts it: `main.py` in a process of its own, its console read line by line."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
START_TIMEOUT = 60
OURS = ("LIVEWATCH_", "SUPABASE_", "DATABASE_URL")


class AppProcess:
    """A running app; `url` is where it serves, `lines` what it printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self.url = ""

    @property
    def pid(self) -> int:
        return self.process.pid

    async def ready(self) -> None:
        """Read the console until the address is there; fails with the console when the app ends instead."""
        async with asyncio.timeout(START_TIMEOUT):
            while not self.url:
                line = await self._read()
                assert line is not None, "the app did not start:\n" + "\n".join(self.lines)
                if match := re.search(r"open (http://\S+)", line):
                    self.url = match[1]

    async def ended(self) -> int:
        """Wait for the end, reading on; returns the exit code."""
        async with asyncio.timeout(30):
            while await self._read() is not None:
                pass
            return await self.process.wait()

    async def stop(self) -> int:
        """Ctrl-C; returns the exit code."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGINT)
        return await self.ended()

    async def _read(self) -> str | None:
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        if not line:
            return None
        self.lines.append(line.decode(errors="replace").rstrip())
        return self.lines[-1]


async def launch(environment: Mapping[str, str], *, root: Path = ROOT) -> AppProcess:
    """Start `main.py` with these settings and none of the caller's; it is the caller's to stop."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(root / "main.py"),
        cwd=root,
        env={**inherited, "LIVEWATCH_PORT": "0", **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    return AppProcess(process)


@asynccontextmanager
async def running(environment: Mapping[str, str], *, root: Path = ROOT) -> AsyncIterator[AppProcess]:
    """An app that is ready, and stopped at the end."""
    app = await launch(environment, root=root)
    try:
        await app.ready()
        yield app
    finally:
        await app.stop()
