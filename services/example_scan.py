"""The example scan as a process of its own, on behalf of a member."""

import asyncio
import json
import sys
from contextlib import suppress
from pathlib import Path

import structlog
from pydantic import SecretStr

from services.errors import LivewatchError
from services.identity import Identity

logger = structlog.get_logger(__name__)

ROOT = Path(__file__).parent.parent
STOP_TIMEOUT = 3.0


class ExampleScan:
    """Starts `examples.scan_packages`, one at a time a user; close with `aclose`, which lets it write its end down.

    The process gets its credentials on standard input, so that no process list shows them, and ends when this
    process does.
    """

    def __init__(self, database_url: SecretStr) -> None:
        self._database_url = database_url
        self._running: dict[str, asyncio.subprocess.Process] = {}

    async def start(self, identity: Identity) -> None:
        """Start a scan as that person; raises LivewatchError when theirs is still running."""
        user = str(identity.user_id)
        running = self._running.get(user)
        if running and running.returncode is None:
            raise LivewatchError("The example scan is still running; start it again when it has ended.")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "examples.scan_packages",
            "--stdin",
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        self._running[user] = process
        assert process.stdin is not None
        credentials = {
            "database_url": self._database_url.get_secret_value(),
            "access_token": identity.access_token.get_secret_value(),
        }
        process.stdin.write(json.dumps(credentials).encode() + b"\n")
        await process.stdin.drain()
        logger.info("example scan started", user=user, pid=process.pid)

    async def aclose(self) -> None:
        """Stop every scan; idempotent."""
        running = [process for process in self._running.values() if process.returncode is None]
        self._running = {}
        for process in running:
            with suppress(ProcessLookupError):
                process.terminate()
        for process in running:
            try:
                await asyncio.wait_for(process.wait(), STOP_TIMEOUT)
            except TimeoutError:
                process.kill()
                await process.wait()
