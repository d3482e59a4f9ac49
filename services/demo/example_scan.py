"""The example scan as a process of its own, which reports to this app with a key of its own."""

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import structlog

from services.auth.identity import Identity
from services.errors import LivewatchError
from services.infra.database import Database
from services.ingest.administration import list_keys, make_key, revoke_key

logger = structlog.get_logger(__name__)

ROOT = Path(__file__).parents[2]
KEY_NAME = "Example scan"
STOP_TIMEOUT = 3.0


class ExampleScan:
    """Starts `examples.scan_packages`, one at a time an organisation; close with `aclose` while the app still serves.

    `url` is where this app listens, for this machine. The process gets its key in its environment, which no process
    list shows, and ends when this process does.
    """

    def __init__(self, database: Database, *, url: str) -> None:
        self._database = database
        self._url = url
        self._running: dict[UUID, asyncio.subprocess.Process | None] = {}
        self._has_ended = False

    async def start(self, identity: Identity, org_id: UUID) -> None:
        """Start a scan of that organisation, with a key that this admin of it makes.

        Raises PermissionDenied for who is no admin, LivewatchError when one is still running.
        """
        if org_id in self._running and ((running := self._running[org_id]) is None or running.returncode is None):
            raise LivewatchError("The example scan is still running; start it again when it has ended.")
        self._running[org_id] = None
        try:
            token = await self._make_key(identity, org_id)
            if self._has_ended:
                raise LivewatchError("The example scan was not started: this server is stopping.")
            self._running[org_id] = process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "examples.scan_packages",
                "--until-stdin-ends",
                cwd=ROOT,
                env={
                    **{name: value for name, value in os.environ.items() if not name.startswith("LIVEWATCH_")},
                    "LIVEWATCH_URL": self._url,
                    "LIVEWATCH_KEY": token,
                    # This app is all that it reports to, so it has nothing to keep for later, and needs no proxy.
                    "LIVEWATCH_SPOOL": "off",
                    "no_proxy": "*",
                },
                stdin=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except BaseException:
            del self._running[org_id]
            raise
        logger.info("example scan started", org=str(org_id), pid=process.pid)

    async def aclose(self) -> None:
        """Stop every scan, which tells its end; idempotent."""
        self._has_ended = True
        running = [process for process in self._running.values() if process and process.returncode is None]
        for process in running:
            with suppress(ProcessLookupError):
                process.terminate()
        for process in running:
            try:
                await asyncio.wait_for(process.wait(), STOP_TIMEOUT)
            except TimeoutError:
                process.kill()
                await process.wait()

    async def _make_key(self, identity: Identity, org_id: UUID) -> str:
        """A fresh key; the one before is of no use to anybody any more."""
        for key in await list_keys(self._database, identity, org_id):
            if key.name == KEY_NAME and key.revoked_at is None:
                await revoke_key(self._database, identity, key.id)
        made = await make_key(self._database, identity, org_id, name=KEY_NAME)
        return made.token.get_secret_value()
