"""Timekeeper: finds what is due by time alone, and what of it is over, by the clocks of runs and jobs."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.rules.clocks import Clocks, Judged, source_of
from services.rules.firing import Beginning, firings_of
from services.rules.listener import Listener, Listeners
from services.rules.occurrence import RECOVERED, Occurrence
from services.rules.rule import RuleEvent
from services.rules.saying import as_told, said_of

logger = structlog.get_logger(__name__)

MAX_PREPARED = 5000
_RETRY = timedelta(hours=1)
_PREPARE = text("select private.prepare_clocks(:limit)")
_TAKE = text("select private.take_clocks(:limit, :at, :simulated)")
_RULES = text("select private.timed_rules(cast(:orgs as jsonb))")
_SET = text("select private.set_clocks(cast(:clocks as jsonb), :at)")


class Timekeeper:
    """Judges the clocks that are due; keeps the rules of their organisations between two looks.

    Args:
        listeners: Where rules are read.
    """

    def __init__(self, listeners: Listeners) -> None:
        self._listeners = listeners
        self._clocks: dict[str, tuple[object, Clocks]] = {}

    async def judge(
        self, connection: AsyncConnection, now: datetime, *, limit: int, is_simulated: bool
    ) -> tuple[list[dict[str, Any]], bool]:
        """Return what fires now, for `private.fire`, and whether there may be more at once.

        Args:
            connection: The transaction of the engine.
            now: The present.
            limit: Most clocks to judge.
            is_simulated: Whether the present is that of a test.
        """
        prepared = (await connection.execute(_PREPARE, {"limit": MAX_PREPARED})).scalar_one()
        values = {"limit": limit, "at": now, "simulated": is_simulated}
        taken = (await connection.execute(_TAKE, values)).scalar_one()
        await self._read(connection, taken["versions"])
        fired: list[dict[str, Any]] = []
        clocks = []
        for record in taken["clocks"]:
            try:
                found, clock = self._judge(record, self._clocks[record["org_id"]][1], now)
            except Exception:
                # The others go on.
                logger.exception("clock not understood", subject=record["subject_id"])
                found, clock = [], _clock(now + _RETRY)
            fired += found
            clocks.append({"id": record["subject_id"], **clock})
        if clocks:
            await connection.execute(_SET, {"clocks": json.dumps(clocks), "at": now})
        return fired, max(prepared // MAX_PREPARED * limit, len(clocks)) >= limit

    async def _read(self, connection: AsyncConnection, versions: Mapping[str, object]) -> None:
        stale = [org for org, version in versions.items() if self._clocks.get(org, (None, None))[0] != version]
        if not stale:
            return
        found: dict[str, list[Listener]] = defaultdict(list)
        for record in (await connection.execute(_RULES, {"orgs": json.dumps(stale)})).scalar_one():
            if listener := self._listeners.of_record(record):
                found[record["org_id"]].append(listener)
        for org in stale:
            self._clocks[org] = (versions[org], Clocks(found[org]))

    def _judge(
        self, record: Mapping[str, Any], clocks: Clocks, now: datetime
    ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        row = record["row"]
        # A run that waits or a paused job goes on by a trigger, which sets its clock.
        if not row or row.get("is_paused") or row.get("is_running") is False:
            return [], _clock(None)
        judged = Judged.of_record(record)
        by_event: dict[RuleEvent, list[Listener]] = defaultdict(list)
        for event, listener in clocks.due(judged, now):
            if not listener.is_snoozed(now) and _holds(event, listener, row):
                by_event[event].append(listener)
        fired: list[dict[str, Any]] = []
        for event, listeners in by_event.items():
            source = source_of(event, UUID(record["subject_id"]), judged, row.get("attempt"))
            detail = {"event": event.value, "source": str(source), "at": now.isoformat(), "detail": {}}
            occurrence = Occurrence.of_record({**record, **detail})
            matched, said = occurrence.matched, said_of(event, judged, row, now)
            told = [
                (each, as_told(occurrence, each.rule, said=said))
                for each in listeners
                if occurrence.concerns(each.rule, matched)
            ]
            fired += firings_of(told, now, beginning=Beginning(attempt=row.get("attempt"), began_at=judged.began))
        return fired, _clock(clocks.next(judged, now))


def _clock(check_at: datetime | None) -> dict[str, Any]:
    return {"check_at": check_at.isoformat() if check_at else "infinity"}


def _holds(event: RuleEvent, listener: Listener, row: Mapping[str, Any]) -> bool:
    """Whether a run is behind; what else is due is so by its time."""
    if event is not RuleEvent.BEHIND:
        return True
    progress, percent = row.get("progress"), listener.rule.limits.percent
    # Without a total the progress is not known, which is not below.
    return progress is not None and percent is not None and progress < percent


def over_of(record: Mapping[str, Any]) -> Occurrence:
    """Return the end of a firing of `private.take_overs`, as it is told."""
    verbs = {
        "ended": f"ended ({str((record['row'] or {}).get('status', 'ended')).replace('_', ' ')})",
        "again": "began again",
        "caught_up": "has caught up",
        "begun": "has begun",
    }
    name = record["subject_name"]
    lasted = (datetime.fromisoformat(record["resolved_at"]) - datetime.fromisoformat(record["at"])).total_seconds()
    occurrence = Occurrence.of_record(
        {
            **record,
            "event": RECOVERED,
            "at": record["resolved_at"],
            "detail": {"name": name, "of": record["event"], "lasted_seconds": lasted},
        }
    )
    return replace(occurrence, verb=verbs[record["why"]])
