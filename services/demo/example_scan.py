"""Example scan: a child process that reports to this app with an ingest key of its own."""

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
from services.ingest.administration import create_key, list_keys, revoke_key

logger = structlog.get_logger(__name__)

ROOT = Path(__file__).parents[2]
KEY_NAME = "Example scan"
STOP_TIMEOUT_SECONDS = 3.0


class ExampleScan:
    """Starts `examples.scan_packages`, at most one per organisation at a time.

    The process receives its key in the environment, which other users cannot read, and ends with this process. Close
    with `aclose` while the app still serves requests, so that the final reports arrive.

    Args:
        database: Where the keys are created.
        url: URL of this app from the same machine.
    """

    def __init__(self, database: Database, *, url: str) -> None:
        self._database = database
        self._url = url
        self._running: dict[UUID, asyncio.subprocess.Process | None] = {}
        self._has_ended = False

    async def start(self, identity: Identity, org_id: UUID) -> None:
        """Start a scan of the organisation, with a key that the user creates.

        Raises:
            PermissionDenied: The user is not an admin of the organisation.
            LivewatchError: A scan of the organisation is still running, or the app is shutting down.
        """
        if org_id in self._running and ((running := self._running[org_id]) is None or running.returncode is None):
            raise LivewatchError("The example scan is still running. Start it again after it has finished.")
        self._running[org_id] = None
        try:
            token = await self._create_key(identity, org_id)
            if self._has_ended:
                raise LivewatchError("The example scan was not started, because this server is shutting down.")
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
                    # It reports only to this app, so that it needs no queue on disk and no proxy.
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
        """Stop all scans, which send their final reports; idempotent."""
        self._has_ended = True
        running = [process for process in self._running.values() if process and process.returncode is None]
        for process in running:
            with suppress(ProcessLookupError):
                process.terminate()
        for process in running:
            try:
                await asyncio.wait_for(process.wait(), STOP_TIMEOUT_SECONDS)
            except TimeoutError:
                process.kill()
                await process.wait()

    async def _create_key(self, identity: Identity, org_id: UUID) -> str:
        """Revoke the keys of earlier scans and create a new one; returns its token."""
        for key in await list_keys(self._database, identity, org_id):
            if key.name == KEY_NAME and key.revoked_at is None:
                await revoke_key(self._database, identity, key.id)
        created = await create_key(self._database, identity, org_id, name=KEY_NAME)
        return created.token.get_secret_value()
