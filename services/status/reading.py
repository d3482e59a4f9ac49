"""What the public sees of a status page, read by the token of its link."""

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import text

from services.errors import TooFast
from services.infra.database import Database
from services.infra.rate_limiter import Rate, RateLimiter

TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
DAYS = 90
FRESH_SECONDS = 10.0
MAX_KEPT = 500
MAX_READS = 3
"""Reads at a time of one process, so that visitors leave connections to the people who work."""
READS = Rate(per_second=2.0, burst=30)
"""Of one address, of what is not kept."""
_READ = text("select private.read_status_page(:token)")


class JobState(StrEnum):
    """How a job is at present; `label` is for the public."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    RUNNING = "running"
    WAITING = "waiting"
    UNREACHABLE = "unreachable"
    STALLED = "stalled"
    OVERDUE = "overdue"
    LATE = "late"
    NEVER_RAN = "never_ran"

    @property
    def label(self) -> str:
        """The state in words."""
        return _LABELS[self]


_LABELS = {
    JobState.SUCCEEDED: "Succeeded",
    JobState.FAILED: "Failed",
    JobState.STOPPED: "Stopped",
    JobState.RUNNING: "Running",
    JobState.WAITING: "Waiting to start",
    JobState.UNREACHABLE: "Unreachable",
    JobState.STALLED: "No progress",
    JobState.OVERDUE: "Takes too long",
    JobState.LATE: "Late",
    JobState.NEVER_RAN: "Never ran",
}


class Health(StrEnum):
    """Whether all is well; `unknown` where nothing says so."""

    WELL = "well"
    PROBLEM = "problem"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """How many runs ended on a day in UTC."""

    on: date
    succeeded: int = 0
    failed: int = 0
    stopped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicJob:
    """A chosen job under its public name; `ended_at` is when its latest run ended, `days` are the last 90."""

    name: str
    kind: str
    slug: str
    state: JobState
    health: Health
    ended_at: datetime | None
    days: tuple[Day, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicIncident:
    """What the watcher found of a chosen job; open while `recovered_at` is None."""

    name: str
    kind: str
    began_at: datetime
    recovered_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicNote:
    """What operators tell the public; open while `resolved_at` is None."""

    title: str
    body: str
    at: datetime
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicStatus:
    """All that a status page shows."""

    title: str
    about: str
    at: datetime
    jobs: tuple[PublicJob, ...]
    incidents: tuple[PublicIncident, ...]
    notes: tuple[PublicNote, ...]

    @property
    def health(self) -> Health:
        """A problem if any job has one; well only if every job is."""
        found = {each.health for each in self.jobs}
        if Health.PROBLEM in found:
            return Health.PROBLEM
        return Health.WELL if found == {Health.WELL} else Health.UNKNOWN

    @property
    def sentence(self) -> str:
        """The state of all jobs in words."""
        problems = sum(each.health is Health.PROBLEM for each in self.jobs)
        unknown = sum(each.health is Health.UNKNOWN for each in self.jobs)
        if problems:
            return f"{problems} of {len(self.jobs)} {'has' if problems == 1 else 'have'} a problem"
        if unknown:
            return f"The state of {unknown} of {len(self.jobs)} is not known"
        return "All is well" if self.jobs else "Nothing is known"


@dataclass(frozen=True, slots=True)
class _Read:
    began: float
    task: asyncio.Task[PublicStatus | None]


class StatusReadings:
    """Reads pages by their tokens: the same one once within `FRESH_SECONDS`, for all who ask. Close with `aclose`."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._reads: dict[str, _Read] = {}
        self._limiter: RateLimiter[str] = RateLimiter(READS, clock=clock)
        self._room = asyncio.Semaphore(MAX_READS)

    async def read(self, token: str, *, address: str) -> PublicStatus | None:
        """Return what a link leads to; None for one that leads nowhere, and for a page that is off.

        Raises:
            TooFast: The address asked for too many links.
            DatabaseUnavailable: PostgreSQL did not respond.
        """
        if not TOKEN.fullmatch(token):
            return None
        now = self._clock()
        known = self._reads.get(token)
        if known is None or now - known.began >= FRESH_SECONDS or _has_failed(known.task):
            if self._limiter.acquire(address):
                raise TooFast("Too many pages were asked for from your address. Try again in a minute.")
            known = _Read(now, asyncio.create_task(self._read(token), name="status page"))
            self._reads.pop(token, None)
            self._reads[token] = known
            while len(self._reads) > MAX_KEPT:
                self._reads.pop(next(iter(self._reads)))
        return await asyncio.shield(known.task)

    async def _read(self, token: str) -> PublicStatus | None:
        async with self._room, self._database.as_app() as session:
            found = (await (await session.connection()).execute(_READ, {"token": token})).scalar_one()
        return status_of(found) if found else None

    async def aclose(self) -> None:
        """End reads that are under way; idempotent."""
        tasks = [each.task for each in self._reads.values()]
        self._reads.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def __aenter__(self) -> "StatusReadings":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def status_of(found: Mapping[str, Any]) -> PublicStatus:
    """Parse what `private.read_status_page` returns."""
    at = datetime.fromisoformat(found["at"])
    today = _utc_day(at)
    return PublicStatus(
        title=found["title"],
        about=found["about"],
        at=at,
        jobs=tuple(_job(each, today) for each in found["jobs"]),
        incidents=tuple(
            PublicIncident(
                name=each["name"],
                kind=each["kind"],
                began_at=datetime.fromisoformat(each["began_at"]),
                recovered_at=_time(each["recovered_at"]),
            )
            for each in found["incidents"]
        ),
        notes=tuple(
            PublicNote(
                title=each["title"],
                body=each["body"],
                at=datetime.fromisoformat(each["at"]),
                resolved_at=_time(each["resolved_at"]),
            )
            for each in found["notes"]
        ),
    )


def _job(found: Mapping[str, Any], today: date) -> PublicJob:
    run = found["run"]
    state, health = judge(run)
    days = [today - timedelta(days=back) for back in reversed(range(DAYS))]
    ended = run["ended"] or {}
    return PublicJob(
        name=found["name"],
        kind=found["kind"],
        slug=found["slug"],
        state=state,
        health=health,
        ended_at=_time(ended.get("at")),
        days=tuple(Day(on=on, **found["days"].get(on.isoformat(), {})) for on in days),
    )


def judge(run: Mapping[str, Any]) -> tuple[JobState, Health]:
    """Return the state of a job, and its health: while it runs, that of the latest run that ended."""
    last, ended = run["last"], run["ended"]
    outcome = last["outcome"] if last else None
    incidents = last["incidents"] if last and not outcome else []
    for kind in (JobState.UNREACHABLE, JobState.OVERDUE, JobState.STALLED):
        if kind in incidents:
            return kind, Health.PROBLEM
    if outcome == JobState.FAILED:
        return JobState.FAILED, Health.PROBLEM
    if run["is_late"]:
        return JobState.LATE, Health.PROBLEM
    if last is None:
        return JobState.NEVER_RAN, Health.UNKNOWN
    if outcome:
        return JobState(outcome), _HEALTH[outcome]
    before = _HEALTH[ended["outcome"]] if ended else Health.UNKNOWN
    return JobState.RUNNING if last["has_begun"] else JobState.WAITING, before


_HEALTH = {"succeeded": Health.WELL, "failed": Health.PROBLEM, "stopped": Health.UNKNOWN}


def _has_failed(task: asyncio.Task[PublicStatus | None]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


def _time(value: str | None) -> datetime | None:
    # PostgreSQL writes times that are none as "infinity".
    return datetime.fromisoformat(value) if value and "infinity" not in value else None


def _utc_day(at: datetime) -> date:
    return (at - (at.utcoffset() or timedelta())).date()
