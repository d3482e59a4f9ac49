"""Engine of rules: takes events from the queue, finds the rules they are for, and writes what those have to tell."""

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.infra.database import Database
from services.infra.tasks.periodic import PeriodicTask
from services.rules.firing import firings_of, once
from services.rules.listener import Listener, Listeners
from services.rules.occurrence import RECOVERED, Occurrence
from services.rules.rule import RuleEvent
from services.rules.saying import as_told
from services.rules.terms.pace import due_at
from services.rules.timekeeper import Timekeeper, over_of
from services.rules.wording import messages_of

logger = structlog.get_logger(__name__)

INTERVAL_SECONDS = 1.0
MAX_EVENTS = 500
MIN_ENDS_SECONDS = 2.0
ENDS_SHARE = 0.02
"""Share of the time that looking for what is over may take."""
_TAKE = text("select private.take_rule_events(:limit, cast(:at as timestamptz))")
_FIRE = text("select private.fire(cast(:fired as jsonb))")
_RESOLVE = text("select private.resolve_firings(:event, :subject, cast(:job as uuid), cast(:at as timestamptz))")
_GATHER = text("select private.gather(:rule, :org, :due, cast(:lines as jsonb), :number, :key, cast(:kept as jsonb))")
_OVER = text("select private.take_overs(:limit, :at)")
_REMIND = text("select private.take_reminders(:limit, :at)")
_GATHERED = text("select private.take_gatherings(:limit, :at)")
_SEND = text("select private.send_messages(cast(:messages as jsonb))")


class RuleEngine(PeriodicTask):
    """Does this every second; of several processes, one does.

    Args:
        database: Where events, rules and messages are.
        address: URL at which people reach the app, without a slash at its end.
        interval: Seconds between two looks.
    """

    def __init__(self, database: Database, *, address: str, interval: float = INTERVAL_SECONDS) -> None:
        self._database = database
        self._address = address
        self._listeners = Listeners()
        self._timekeeper = Timekeeper(self._listeners)
        self._ends_next_at = 0.0
        super().__init__(self.look, name="rules", interval=interval, failure="rules were not applied")

    async def look(self, *, at: datetime | None = None) -> bool:
        """Look once; returns whether this process did, and not another one.

        Args:
            at: The time by which it judges; that of the database by default.

        Raises:
            DatabaseUnavailable: PostgreSQL did not respond.
        """
        while True:
            async with self._database.as_app() as session:
                connection = await session.connection()
                taken = await _value(connection, _TAKE, limit=MAX_EVENTS, at=at)
                if taken is None:
                    return False
                now = datetime.fromisoformat(taken["at"])
                await self._fire(connection, taken, now)
                fired, is_full = await self._timekeeper.judge(
                    connection, now, limit=MAX_EVENTS, is_simulated=at is not None
                )
                await self._write(connection, fired)
                await self._end(connection, now, is_simulated=at is not None)
                await self._remind(connection, now)
                await self._tell(connection, now)
            if len(taken["events"]) < MAX_EVENTS and not is_full:
                return True

    async def _fire(self, connection: AsyncConnection, taken: Mapping[str, Any], now: datetime) -> None:
        read = map(self._listeners.of_record, taken["rules"])
        listeners = {each.id: each for each in read if each is not None and not each.is_snoozed(now)}
        orgs = {record["id"]: record["org_id"] for record in taken["rules"]}
        book = _book(listeners.values(), orgs)
        fired: list[dict[str, Any]] = []
        for occurrence in map(Occurrence.of_record, taken["events"]):
            listening = book[str(occurrence.org_id), occurrence.event]
            # A rule that is about a job is found by it, so that thousands of them cost no more than one.
            try:
                matched = occurrence.matched
                told = [
                    (each, occurrence)
                    for each in (*listening[""], *(listening.get(occurrence.job, ()) if occurrence.job else ()))
                    if occurrence.concerns(each.rule, matched)
                ]
                fired += firings_of(told, now)
            except Exception:
                # The queue would never move on.
                logger.exception("event not understood", source=str(occurrence.source))
            if occurrence.event in (RECOVERED, RuleEvent.FINISHED):
                # After what fired before it in this batch.
                await self._write(connection, fired)
                await self._resolve(connection, occurrence, listeners, now)
        await self._write(connection, fired)

    async def _write(self, connection: AsyncConnection, fired: list[dict[str, Any]]) -> None:
        if fired:
            await _value(connection, _FIRE, fired=json.dumps(fired))
            fired.clear()

    async def _resolve(
        self, connection: AsyncConnection, occurrence: Occurrence, listeners: Mapping[str, Listener], now: datetime
    ) -> None:
        is_recovery = occurrence.event == RECOVERED
        ended = await _value(
            connection,
            _RESOLVE,
            event=occurrence.of if is_recovery else RuleEvent.FAILED.value,
            subject=occurrence.subject_id,
            job=None if is_recovery else occurrence.job_id,
            at=occurrence.at,
        )
        told = []
        for id in {each["rule_id"] for each in ended}:
            listener = listeners.get(id)
            # A job that succeeds again is back; its run says so by its own event if the rule listens to that.
            is_told_anyway = listener is not None and not is_recovery and RuleEvent.FINISHED in listener.rule.events
            if listener is not None and listener.rule.tells_recovery and not is_told_anyway:
                told.append(listener)
        line = occurrence.line
        if not is_recovery:
            line |= {"event": RECOVERED, "title": f"{line['title']}, after it had failed"}
        await self._gather(connection, [(each, line) for each in told], str(occurrence.org_id), now)

    async def _end(self, connection: AsyncConnection, now: datetime, *, is_simulated: bool) -> None:
        """End what time alone had made and is over, as often as its cost allows."""
        started = time.monotonic()
        if started < self._ends_next_at and not is_simulated:
            return
        told: dict[tuple[str, str, str], list[tuple[Listener, dict[str, Any]]]] = defaultdict(list)
        over = await _value(connection, _OVER, limit=MAX_EVENTS, at=now)
        for record in over:
            listener = self._listeners.of_record(record["rule"])
            is_told = listener is not None and listener.rule.tells_recovery and not listener.is_snoozed(now)
            if listener is not None and is_told and record["why"] != "gone":
                told[record["org_id"], record["source"], record["why"]].append((listener, over_of(record).line))
        for (org_id, *_), lines in told.items():
            await self._gather(connection, lines, org_id, now)
        took = time.monotonic() - started
        is_full = len(over) == MAX_EVENTS
        self._ends_next_at = started if is_full else started + max(MIN_ENDS_SECONDS, took / ENDS_SHARE)

    async def _remind(self, connection: AsyncConnection, now: datetime) -> None:
        told: dict[tuple[str, str], list[tuple[Listener, dict[str, Any]]]] = defaultdict(list)
        for open_firing in await _value(connection, _REMIND, limit=MAX_EVENTS, at=now):
            listener = self._listeners.of_record(open_firing["rule"])
            if listener is None or open_firing["remind_at"] is None or listener.is_snoozed(now):
                continue
            again = Occurrence.of_record({**open_firing, "detail": {"name": open_firing["subject_name"]}, "row": {}})
            line = as_told(again, listener.rule).line | {"at": open_firing["at"], "text": "It still is so."}
            told[open_firing["org_id"], open_firing["source"]].append((listener, line))
        for (org_id, _), lines in told.items():
            await self._gather(connection, lines, org_id, now)

    async def _gather(
        self, connection: AsyncConnection, told: list[tuple[Listener, dict[str, Any]]], org_id: str, now: datetime
    ) -> None:
        """Add the lines that rules have of one event to what each has to tell."""
        for (listener, line), kept_from in once(told, of=lambda each: each[0]):
            if kept_from is not None:
                await _value(
                    connection,
                    _GATHER,
                    rule=listener.id,
                    org=org_id,
                    due=due_at(listener.rule.pace, listener.rule.quiet, now),
                    lines=json.dumps([line]),
                    number=1,
                    key=kept_from.key,
                    kept=json.dumps(kept_from.as_json),
                )

    async def _tell(self, connection: AsyncConnection, now: datetime) -> None:
        messages: list[dict[str, Any]] = []
        for told in await _value(connection, _GATHERED, limit=MAX_EVENTS, at=now):
            if listener := self._listeners.of_record(told["rule"]):
                messages += messages_of(told, listener.rule, address=self._address)
        if messages:
            sent = await _value(connection, _SEND, messages=json.dumps(messages))
            logger.debug("rules told", messages=len(messages), **sent)


def _book(listeners: Iterable[Listener], orgs: Mapping[str, str]) -> dict[tuple[str, str], dict[str, list[Listener]]]:
    """Return the rules by organisation and event, and those of each job apart."""
    book: dict[tuple[str, str], dict[str, list[Listener]]] = defaultdict(lambda: defaultdict(list))
    for each in listeners:
        for event in each.rule.events:
            book[orgs[each.id], event.value][each.rule.filter.job].append(each)
    return book


async def _value(connection: AsyncConnection, statement: TextClause, **values: Any) -> Any:
    return (await connection.execute(statement, values)).scalar_one()
