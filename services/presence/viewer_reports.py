"""Reports of this process's people to the database, from where they reach every process."""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import UUID, uuid4

import structlog
from sqlalchemy import text

from services.errors import LivewatchError
from services.infra.database import Database
from services.infra.logging import create_shared_task
from services.presence.windows import OrgWindows, TrackedWindow

logger = structlog.get_logger(__name__)

REPORT_INTERVAL_SECONDS = 1.0
"""Minimum seconds between two reports."""
HEARTBEAT_SECONDS = 15.0
"""Seconds after which people are reported again unchanged, which is told to nobody.

The database takes a process for dead after 45 s without.
"""
RETRY_SECONDS = 5.0
FAREWELL_SECONDS = 2.0
FAREWELL_STEP_SECONDS = 0.05
"""Seconds until what another transaction is changing is taken back again, such as this process's last report."""
_REPORT = text("select private.report_viewers(:process, cast(:reports as jsonb))")


@dataclass(eq=False, slots=True)
class _Org:
    windows: OrgWindows = field(default_factory=OrgWindows)
    people: list[dict[str, Any]] = field(default_factory=list)
    is_changed: bool = False
    expires_at: float | None = None
    """Loop time at which the grace of the next window is over."""
    report_at: float = 0.0
    """Loop time of the next heartbeat."""


class ViewerReports:
    """Reports who has windows in this process: at most once a second while something changes, else every 15 s.

    One call reports all organisations that are due. Nothing is sent while nobody is here. Enter to begin; leaving takes
    back the people of this process.
    """

    def __init__(self, database: Database) -> None:
        self.process = uuid4()
        self._database = database
        self._orgs: dict[UUID, _Org] = {}
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_failing = False

    def track(self, org_id: UUID, user_id: UUID) -> TrackedWindow:
        """Return a window of a member, which counts as soon as it arrives."""
        return TrackedWindow(org_id, user_id, on_change=self._note)

    async def aclose(self) -> None:
        """Stop, and take back the people who were reported; idempotent."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        known, self._orgs = set(self._orgs), {}
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                while known:
                    known = await self._send([{"org_id": str(org_id), "people": []} for org_id in known])
                    await asyncio.sleep(FAREWELL_STEP_SECONDS if known else 0)
        except (LivewatchError, TimeoutError) as error:
            logger.info("viewers not taken back", cause=str(error))

    async def __aenter__(self) -> Self:
        self._task = create_shared_task(self._run(), name="reports of viewers")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _note(self, window: TrackedWindow) -> None:
        org = self._orgs.get(window.org_id)
        if org is None:
            if self._task is None or not window.has_arrived or window.left_at is not None:
                return
            org = self._orgs[window.org_id] = _Org()
        org.windows.note(window)
        org.is_changed = True
        self._changed.set()

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await self._wait()
            self._changed.clear()
            if due := self._due(clock()):
                await asyncio.sleep(REPORT_INTERVAL_SECONDS if await self._report(due) else RETRY_SECONDS)

    async def _wait(self) -> None:
        """Wait for a change, the end of a grace or a heartbeat."""
        times = [min(org.report_at, org.expires_at or org.report_at) for org in self._orgs.values()]
        until = min(times) if times else None
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._changed.wait()

    def _due(self, now: float) -> dict[UUID, _Org]:
        """The organisations to report: those whose people have changed, and those whose heartbeat is due."""
        due = {}
        for org_id, org in self._orgs.items():
            if org.is_changed or (org.expires_at is not None and org.expires_at <= now):
                org.is_changed = False
                org.expires_at = org.windows.expire(now)
                people = org.windows.people()
                if people != org.people:
                    org.people = people
                    due[org_id] = org
            if org.report_at <= now or not org.windows:
                due[org_id] = org
        return due

    async def _report(self, due: dict[UUID, _Org]) -> bool:
        """Report; returns whether the database took it, apart from single organisations, which follow."""
        now = asyncio.get_running_loop().time()
        for org in due.values():
            org.report_at = now + HEARTBEAT_SECONDS
        try:
            postponed = await self._send([{"org_id": str(id), "people": org.people} for id, org in due.items()])
        except LivewatchError as error:
            if not self._is_failing:
                logger.warning("viewers not reported", cause=str(error))
            self._is_failing = True
            for org in due.values():
                org.report_at = now
            return False
        self._is_failing = False
        for org_id, org in due.items():
            if org_id in postponed:
                org.report_at = now
            elif not org.windows and not org.is_changed:
                del self._orgs[org_id]
        return True

    async def _send(self, reports: list[dict[str, Any]]) -> set[UUID]:
        async with self._database.as_app() as session:
            values = {"process": self.process, "reports": json.dumps(reports)}
            return set((await (await session.connection()).execute(_REPORT, values)).scalars())
