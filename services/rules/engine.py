"""Engine of rules: takes events from the queue, finds the rules they are for, and writes what those have to tell."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.errors import NotAccepted
from services.infra.database import Database
from services.infra.tasks.periodic import PeriodicTask
from services.rules.occurrence import RECOVERED, Occurrence
from services.rules.pace import due_at
from services.rules.rule import Rule, RuleEvent
from services.rules.wording import message_of

logger = structlog.get_logger(__name__)

INTERVAL_SECONDS = 1.0
MAX_EVENTS = 500
_TAKE = text("select private.take_rule_events(:limit, cast(:at as timestamptz))")
_FIRE = text("select private.fire(cast(:fired as jsonb))")
_RESOLVE = text("select private.resolve_firings(:event, :subject, cast(:job as uuid), cast(:at as timestamptz))")
_GATHER = text("select private.gather(:rule, :org, :due, cast(:lines as jsonb), :number)")
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
        self._rules: dict[str, tuple[str, Rule | None]] = {}
        """Rules by id, with the time of their last change; None for one that cannot be read."""
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
                await self._remind(connection, now)
                await self._tell(connection, now)
            if len(taken["events"]) < MAX_EVENTS:
                return True

    async def _fire(self, connection: AsyncConnection, taken: Mapping[str, Any], now: datetime) -> None:
        rules = {record["id"]: self._rule(record) for record in taken["rules"] if not _is_snoozed(record, now)}
        book = _book(taken["rules"], rules)
        fired: list[dict[str, Any]] = []
        for occurrence in map(Occurrence.of_record, taken["events"]):
            listening = book[str(occurrence.org_id), occurrence.event]
            # A rule that is about a job is found by it, so that thousands of them cost no more than one.
            try:
                fired += [
                    _firing(id, rule, occurrence, now)
                    for id, rule in (*listening[""], *listening.get(_job(occurrence), ()))
                    if occurrence.concerns(rule)
                ]
            except Exception:
                # The queue would never move on.
                logger.exception("event not understood", source=str(occurrence.source))
            if occurrence.event in (RECOVERED, RuleEvent.FINISHED):
                # After what fired before it in this batch.
                await self._write(connection, fired)
                await self._resolve(connection, occurrence, rules, now)
        await self._write(connection, fired)

    async def _write(self, connection: AsyncConnection, fired: list[dict[str, Any]]) -> None:
        if fired:
            await _value(connection, _FIRE, fired=json.dumps(fired))
            fired.clear()

    async def _resolve(
        self, connection: AsyncConnection, occurrence: Occurrence, rules: Mapping[str, Rule | None], now: datetime
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
        for id in {each["rule_id"] for each in ended}:
            rule = rules.get(id)
            # A job that succeeds again is back; its run says so by its own event if the rule listens to that.
            is_told_anyway = rule is not None and not is_recovery and RuleEvent.FINISHED in rule.events
            if rule is None or not rule.tells_recovery or is_told_anyway:
                continue
            line = occurrence.line
            if not is_recovery:
                line |= {"event": RECOVERED, "title": f"{line['title']}, after it had failed"}
            due = due_at(rule.pace, rule.quiet, now)
            await _value(
                connection, _GATHER, rule=id, org=occurrence.org_id, due=due, lines=json.dumps([line]), number=1
            )

    async def _remind(self, connection: AsyncConnection, now: datetime) -> None:
        for open_firing in await _value(connection, _REMIND, limit=MAX_EVENTS, at=now):
            rule = self._rule(open_firing["rule"])
            if rule is None or open_firing["remind_at"] is None or _is_snoozed(open_firing["rule"], now):
                continue
            again = Occurrence.of_record({**open_firing, "detail": {"name": open_firing["subject_name"]}, "row": {}})
            line = again.line | {"at": open_firing["at"]}
            line["text"] = "It still is so."
            await _value(
                connection,
                _GATHER,
                rule=open_firing["rule_id"],
                org=open_firing["org_id"],
                due=due_at(rule.pace, rule.quiet, now),
                lines=json.dumps([line]),
                number=1,
            )

    async def _tell(self, connection: AsyncConnection, now: datetime) -> None:
        messages = []
        for gathering in await _value(connection, _GATHERED, limit=MAX_EVENTS, at=now):
            rule = self._rule(gathering["rule"])
            if rule is None:
                continue
            message, path = message_of(rule.name, gathering["events"], gathering["count"], address=self._address)
            messages.append(
                {
                    "id": gathering["id"],
                    "org_id": gathering["org_id"],
                    "people": [str(each) for each in rule.people],
                    "roles": [each.value for each in rule.roles],
                    "channels": [str(each) for each in rule.channels],
                    "content": message.as_json | {"path": path},
                }
            )
        if messages:
            told = await _value(connection, _SEND, messages=json.dumps(messages))
            logger.debug("rules told", messages=len(messages), **told)

    def _rule(self, record: Mapping[str, Any]) -> Rule | None:
        changed_at, rule = self._rules.get(record["id"], ("", None))
        if changed_at != record["updated_at"]:
            try:
                rule = Rule.of_record(record)
            except NotAccepted as error:
                # The others go on.
                logger.warning("rule not applied", rule=record["id"], cause=str(error))
                rule = None
            self._rules[record["id"]] = (record["updated_at"], rule)
        return rule


def _book(
    records: Iterable[Mapping[str, Any]], rules: Mapping[str, Rule | None]
) -> dict[tuple[str, str], dict[str, list[tuple[str, Rule]]]]:
    """Return the rules by organisation and event, and those of each job apart."""
    book: dict[tuple[str, str], dict[str, list[tuple[str, Rule]]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        if rule := rules.get(record["id"]):
            for event in rule.events:
                book[record["org_id"], event.value][rule.job].append((record["id"], rule))
    return book


def _firing(id: str, rule: Rule, occurrence: Occurrence, now: datetime) -> dict[str, Any]:
    is_over_at_once = occurrence.event in (RuleEvent.FINISHED, RuleEvent.ALERT)
    repeats = rule.repeat_seconds if not is_over_at_once else None
    return {
        "rule_id": id,
        "event": occurrence.event,
        "source": str(occurrence.source),
        "subject_table": occurrence.table,
        "subject_id": str(occurrence.subject_id),
        "subject_name": occurrence.name,
        "job_id": occurrence.job_id,
        "at": occurrence.at.isoformat(),
        "due_at": due_at(rule.pace, rule.quiet, now).isoformat(),
        "remind_at": (now + timedelta(seconds=repeats)).isoformat() if repeats else None,
        "line": occurrence.line,
    }


def _job(occurrence: Occurrence) -> str:
    # An empty slug is that of the rules for all jobs, which are found anyway.
    return str(occurrence.row.get("slug") or "\0").partition("@")[0]


def _is_snoozed(record: Mapping[str, Any], now: datetime) -> bool:
    until = record["snoozed_until"]
    return until is not None and datetime.fromisoformat(until) > now


async def _value(connection: AsyncConnection, statement: TextClause, **values: Any) -> Any:
    return (await connection.execute(statement, values)).scalar_one()
