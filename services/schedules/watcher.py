"""Watcher: finds in the database what time alone changes, as one of several processes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import text

from services.errors import LivewatchError
from services.infra.database import Database
from services.infra.tasks.periodic import PeriodicTask
from services.schedules.plan import Plan

logger = structlog.get_logger(__name__)

INTERVAL_SECONDS = 1.0
MAX_ROWS_PER_TICK = 500
_WATCH = text("select private.watch(cast(:at as timestamptz), :limit)")
_PLAN = text("select private.plan_schedules(cast(:plans as jsonb))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What one look found: runs with a new incident, jobs whose run is late, and schedules with a new due time."""

    runs: int
    late: int
    planned: int

    @property
    def is_full(self) -> bool:
        """Whether there may be more at once."""
        return max(self.runs, self.late, self.planned) >= MAX_ROWS_PER_TICK


async def watch(database: Database, *, at: datetime | None = None, limit: int = MAX_ROWS_PER_TICK) -> Watched | None:
    """Look once, in one transaction; None while another process looks.

    Args:
        database: Where to look.
        at: The time by which it judges; the database's by default, which also notes that the app is there.
        limit: Most runs of each table, and most schedules.

    Raises:
        DatabaseUnavailable: PostgreSQL did not respond.
    """
    async with database.as_app() as session:
        connection = await session.connection()
        found = (await connection.execute(_WATCH, {"at": at, "limit": limit})).scalar_one()
        if found is None:
            return None
        now = datetime.fromisoformat(found["at"])
        if found["schedules"]:
            plans = [plan_of(each, now) for each in found["schedules"]]
            await connection.execute(_PLAN, {"plans": json.dumps(plans)})
        return Watched(runs=found["found"], late=found["late"], planned=len(found["schedules"]))


def plan_of(schedule: Mapping[str, Any], now: datetime) -> dict[str, str | None]:
    """Return the next times of a schedule that `private.watch` returned, for `private.plan_schedules`."""
    due_at, met_at = _time(schedule["next_due_at"]), _time(schedule["met_at"])
    try:
        due = Plan.of_record(schedule).next_due(now=now, due_at=due_at, met_at=met_at, is_late=schedule["is_late"])
    except LivewatchError as error:
        # A zone that this machine's database of zones lacks: the others are watched.
        logger.warning("schedule not planned", schedule=schedule["id"], cause=str(error))
        due = None
    missed = due_at if schedule["is_late"] else None
    return {
        "id": schedule["id"],
        "next_due_at": due.at.isoformat() if due else None,
        "opens_at": due.opens_at.isoformat() if due else None,
        "late_at": due.late_at.isoformat() if due else None,
        "late_since": missed.isoformat() if missed else None,
    }


def _time(given: str | None) -> datetime | None:
    return datetime.fromisoformat(given) if given else None


class Watcher(PeriodicTask):
    """Looks every second; of several processes, one does."""

    def __init__(self, database: Database, *, interval: float = INTERVAL_SECONDS) -> None:
        self._database = database
        super().__init__(self._look, name="watcher", interval=interval, failure="watcher did not look")

    async def _look(self) -> None:
        while (found := await watch(self._database)) is not None and found.is_full:
            logger.debug("watcher behind", runs=found.runs, planned=found.planned)
