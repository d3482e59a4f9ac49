"""Trial: what a rule would have told within the last days, before it is saved."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from services.auth.identity import Identity
from services.infra.database import Database
from services.rules.occurrence import Occurrence
from services.rules.rule import Rule, RuleEvent
from services.rules.timed_trial import UNKNOWN, timed_events
from services.text import visible_name

DAYS = 7
MAX_EVENTS = 5000
MAX_EXAMPLES = 3
# Alerts are those of the user, whom row-level security shows no others.
_EVENTS = text("""
    with found as (
        select one.id, one.subject_table, one.subject_id, one.subject_name,
            private.rule_event(one.subject_table, one.status) as event, one.created_at
        from public.activities as one
        where one.org_id = :org and one.created_at > now() - make_interval(days => :days)
        union all
        select one.id, 'signal_alerts', one.id, one.target_name, 'alert', one.detected_at
        from public.signal_alerts as one
        where one.org_id = :org and one.detected_at > now() - make_interval(days => :days)
    )
    select jsonb_build_object(
        'org_id', cast(:org as uuid), 'event', found.event, 'subject_table', found.subject_table,
        'subject_id', found.subject_id, 'source', found.id, 'at', found.created_at,
        'detail', jsonb_build_object('name', found.subject_name),
        'row', private.subject_facts(found.subject_table, found.subject_id))
    from found where found.event = any (cast(:events as text[]))
    order by found.created_at desc limit :limit
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How often a rule would have fired within the last days, and what it would have told last.

    `is_partial` means that there were more events than were tried; `unknown` says what history cannot tell.
    """

    count: int
    last: list[tuple[datetime, str]]
    is_partial: bool
    unknown: str = ""

    @property
    def sentence(self) -> str:
        """The result for people."""
        return " ".join(filter(None, (self._result, self.unknown)))

    @property
    def _result(self) -> str:
        at_least = "at least " if self.is_partial else ""
        if not self.count:
            return f"It would {'' if not self.is_partial else 'perhaps '}not have fired in the last {DAYS} days."
        times = "once" if self.count == 1 else f"{self.count:,} times"
        names = ", ".join(f"{visible_name(title)} ({at:%d %b %H:%M} UTC)" for at, title in self.last)
        return f"It would have fired {at_least}{times} in the last {DAYS} days: {names}" + (
            " and others." if self.count > len(self.last) else "."
        )


async def try_rule(database: Database, identity: Identity, org_id: UUID, rule: Rule) -> Trial:
    """Try a rule on the activities and the user's own alerts of the last days; raises DatabaseUnavailable."""
    events = sorted(event.value for event in rule.events)
    values: dict[str, Any] = {"org": org_id, "days": DAYS, "events": events, "limit": MAX_EVENTS}
    async with database.as_user(identity) as session:
        connection = await session.connection()
        records = (await connection.execute(_EVENTS, values)).scalars().all()
        timed = await timed_events(connection, org_id, rule, days=DAYS, limit=MAX_EVENTS)
    tried = sorted([*map(Occurrence.of_record, records), *timed], key=lambda each: each.at, reverse=True)
    found = [each for each in tried if each.concerns(rule)]
    most = max(Counter(each.event for each in timed).values(), default=0)
    return Trial(
        count=len(found),
        last=[(each.at, each.line["title"]) for each in found[:MAX_EXAMPLES]],
        is_partial=max(len(records), most) == MAX_EVENTS,
        unknown=" ".join(UNKNOWN[event] for event in RuleEvent if event in rule.events and event in UNKNOWN),
    )
