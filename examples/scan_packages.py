"""An acquisition scan over the Python packages of this environment: real work that any machine has, offline.

It reports as an ordinary member, through the same row-level security as everybody.
"""

import argparse
import asyncio
import json
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import update
from sqlmodel import col

from examples.inspect_packages import Findings, compile_sources, installed, measure, read_metadata, signals, verify
from services.auth import Auth
from services.database import Database
from services.errors import LivewatchError
from services.identity import Identity
from services.models import (
    AcquisitionScan,
    AgentExecution,
    AgentStatus,
    GoalStatus,
    Notification,
    NotificationType,
    Row,
    ScanStatus,
    SignalAlert,
    Stream,
)
from services.organizations import memberships

STEPS = ["Identify packages", "Read metadata", "Inspect packages", "Report"]
WORKERS = 2
SERIOUS = 75

T = TypeVar("T")


class Scan:
    """One run: a stream, a scan, and an agent execution for each package. Written as `identity`, under RLS."""

    def __init__(self, database: Database, identity: Identity, org_id: UUID, *, limit: int | None = None) -> None:
        self._limit = limit
        self._database = database
        self._identity = identity
        self._org_id = org_id
        started = datetime.now().astimezone()
        self._stream = Stream(
            org_id=org_id,
            name=f"Packages {started:%d %b %H:%M:%S}",
            description=f"Licences, sizes, dependencies and sources of what Python {platform.python_version()} has.",
            stream_type="package health",
            target_metrics={"quality": "all sources compile"},
            created_by=identity.user_id,
        )
        self._scan = AcquisitionScan(
            org_id=org_id, stream_id=self._stream.id, name="Installed packages", steps=list(STEPS)
        )
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="inspect")
        self._writing = asyncio.Lock()
        self._done = 0
        self._serious = 0

    async def run(self) -> None:
        """Do it all; a failure or an interruption is written down before it is raised on."""
        await self._insert(self._stream)
        await self._insert(self._scan)
        try:
            await self._work()
        except BaseException as error:
            reason = "interrupted" if isinstance(error, asyncio.CancelledError) else f"{type(error).__name__}: {error}"
            await self._set(self._scan, status=ScanStatus.FAILED, error=reason, completed_at=_now())
            await self._set(self._stream, goal_status=GoalStatus.BLOCKED)
            raise
        finally:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _work(self) -> None:
        packages = await self._identify()
        findings = await self._read_metadata(packages)
        alerts = await self._inspect(packages, findings)
        await self._report(len(packages), alerts)

    async def _identify(self) -> list[Distribution]:
        await self._step(0, ScanStatus.SCANNING, started_at=_now())
        packages = (await self._in_thread(installed))[: self._limit]
        await self._set(self._stream, total=len(packages), goal_status=GoalStatus.IN_PROGRESS)
        await self._set(self._scan, targets_identified=len(packages), progress_percentage=5.0)
        return packages

    async def _read_metadata(self, packages: list[Distribution]) -> list[Findings]:
        await self._step(1, ScanStatus.SCANNING)
        findings = []
        for package in packages:
            findings.append(await self._in_thread(read_metadata, package))
            if len(findings) % 10 == 0:
                await self._set(self._scan, progress_percentage=round(5 + 10 * len(findings) / len(packages), 1))
        return findings

    async def _inspect(self, packages: list[Distribution], findings: list[Findings]) -> int:
        """Two at a time, as two agents would; returns the number of alerts raised."""
        await self._step(2, ScanStatus.ANALYZING)
        jobs = iter(list(zip(packages, findings, strict=True)))
        raised = 0

        async def work() -> None:
            nonlocal raised
            for package, found in jobs:
                await self._inspect_one(package, found)
                raised += await self._raise_alerts(found)
                await self._advance(len(packages))

        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(work())
        return raised

    async def _advance(self, packages: int) -> None:
        self._done += 1
        done = self._done
        status = GoalStatus.AT_RISK if self._serious > done / 10 else GoalStatus.ON_TRACK
        await self._set(
            self._stream, completed=done, goal_status=status if done > packages / 10 else GoalStatus.IN_PROGRESS
        )
        await self._set(self._scan, targets_analyzed=done, progress_percentage=round(15 + 80 * done / packages, 1))

    async def _inspect_one(self, package: Distribution, found: Findings) -> None:
        execution = AgentExecution(
            org_id=self._org_id,
            stream_id=self._stream.id,
            agent_id="package-inspector",
            agent_name=f"Inspect {found.name}",
            status=AgentStatus.RUNNING,
            started_at=_now(),
            input_summary=f"{found.name} {found.version}",
        )
        await self._insert(execution)
        started = time.perf_counter()
        try:
            for inspection in (measure, verify, compile_sources):
                await self._in_thread(inspection, package, found)
        except asyncio.CancelledError:
            await self._set(execution, status=AgentStatus.CANCELLED, completed_at=_now())
            raise
        except OSError as error:
            outcome: dict[str, Any] = {"status": AgentStatus.FAILED, "error": str(error)}
        else:
            outcome = {"status": AgentStatus.COMPLETED, "output_summary": _summary(found)}
        taken = time.perf_counter() - started
        await self._set(execution, **outcome, completed_at=_now(), duration_ms=int(taken * 1000))
        # Rest as long as it worked: the machine has other things to do, the dashboard among them.
        await asyncio.sleep(taken)

    async def _raise_alerts(self, found: Findings) -> int:
        raised = signals(found)
        for each in raised:
            self._serious += each.strength >= SERIOUS
            await self._insert(
                SignalAlert(
                    org_id=self._org_id,
                    user_id=self._identity.user_id,
                    stream_id=self._stream.id,
                    target_name=f"{found.name} {found.version}",
                    signal_type=each.signal_type,
                    signal_strength=each.strength,
                    details=each.details,
                    detected_at=_now(),
                )
            )
        return len(raised)

    async def _report(self, packages: int, alerts: int) -> None:
        await self._step(3, ScanStatus.ANALYZING)
        await self._set(self._stream, goal_status=GoalStatus.COMPLETED)
        await self._set(
            self._scan, status=ScanStatus.COMPLETED, progress_percentage=100.0, completed_at=_now(), current_step=None
        )
        await self._insert(
            Notification(
                org_id=self._org_id,
                user_id=self._identity.user_id,
                type=NotificationType.WARNING if alerts else NotificationType.SUCCESS,
                title=f"{packages} packages inspected",
                message=f"{alerts} signals were raised, {self._serious} of them high or urgent.",
                action_url=f"/streams/{self._stream.id}",
            )
        )

    async def _step(self, index: int, status: ScanStatus, **fields: Any) -> None:
        await self._set(self._scan, status=status, current_step=STEPS[index], **fields)

    async def _insert(self, row: Row) -> None:
        async with self._database.as_user(self._identity) as session:
            session.add(row)

    async def _set(self, row: Row, **fields: Any) -> None:
        """Write some fields of a row that this scan inserted, here and in the database."""
        model = type(row)
        # One at a time, so that of two workers' values the later one stays.
        async with self._writing, self._database.as_user(self._identity) as session:
            for name, value in fields.items():
                setattr(row, name, value)
            await session.exec(update(model).where(col(model.id) == row.id).values(**fields))

    async def _in_thread(self, work: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """As whom, and where, a scan writes."""

    database_url: SecretStr
    access_token: SecretStr


async def scan(credentials: Credentials, *, limit: int | None = None) -> None:
    """Run one scan in the person's first organisation where they may write; of the first `limit` packages, or all."""
    identity = Identity.from_token(credentials.access_token.get_secret_value())
    async with Database(credentials.database_url, pool_size=WORKERS) as database:
        org = next((each for each in await memberships(database, identity) if each.may_write), None)
        if org is None:
            raise LivewatchError(f"{identity.email} may not write in any organisation; an admin can change the role.")
        await Scan(database, identity, org.org_id, limit=limit).run()


async def demo_credentials(data: Path) -> Credentials:
    """Sign in as the demo user of the local Supabase that keeps its data in `data`."""
    try:
        status = json.loads((data / "status.json").read_text())
    except FileNotFoundError:
        raise LivewatchError(
            f"There is no local Supabase in {data}. Start the app first (make run), or set LIVEWATCH_DATA."
        ) from None
    async with Auth(url=status["api_url"], key=SecretStr(status["anon_key"])) as auth:
        tokens = await auth.sign_in(status["demo_email"], SecretStr(status["demo_password"]))
    return Credentials(database_url=SecretStr(status["app_database_url"]), access_token=tokens.access_token)


async def main(argv: list[str] | None = None) -> int:
    """Scan as the demo user, or as whom standard input says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.scan_packages", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("LIVEWATCH_DATA", ".livewatch")))
    parser.add_argument(
        "--stdin", action="store_true", help="read {database_url, access_token} as JSON from standard input"
    )
    parser.add_argument("--limit", type=int, help="inspect only the first LIMIT packages")
    arguments = parser.parse_args(argv)
    task = asyncio.current_task()
    assert task is not None
    if sys.platform != "win32":
        os.nice(10)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        if arguments.stdin:
            given = json.loads(sys.stdin.readline())
            _end_with_parent(task)
            credentials = Credentials(**{name: SecretStr(value) for name, value in given.items()})
            await scan(credentials, limit=arguments.limit)
        else:
            await scan(await demo_credentials(arguments.data), limit=arguments.limit)
    except LivewatchError as error:
        print(f"The scan did not run: {error}", file=sys.stderr)
        return 1
    except asyncio.CancelledError:
        return 130
    return 0


def _end_with_parent(task: asyncio.Task[Any]) -> None:
    """Cancel the task when standard input ends: however the parent goes, the kernel closes its end of the pipe."""
    loop = asyncio.get_running_loop()

    def watch() -> None:
        sys.stdin.read()
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(task.cancel)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _summary(found: Findings) -> str:
    return (
        f"{found.files} files, {found.size / 2**20:.1f} MiB, {found.sources} sources, "
        f"{len(found.altered)} altered, {len(found.broken)} do not compile, licence {found.licence or 'none'}"
    )


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
