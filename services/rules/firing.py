"""Firings: what rules are told of an event, as `private.fire` writes it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from services.rules.listener import Listener
from services.rules.occurrence import Occurrence
from services.rules.rule import RuleEvent
from services.rules.terms.audience import Audience, excluded
from services.rules.terms.pace import due_at

_T = TypeVar("_T")
OVER_AT_ONCE = (RuleEvent.FINISHED, RuleEvent.ALERT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """Of an event of time: the attempt of the run, and since when it counts."""

    attempt: int | None
    began_at: datetime


def once(told: Iterable[_T], *, of: Callable[[_T], Listener]) -> list[tuple[_T, Audience | None]]:
    """Return the rules of one event in the order of their creation, each with whom it is kept from.

    Args:
        told: The rules, or what holds them.
        of: Returns the rule.
    """
    ordered = sorted(told, key=lambda each: of(each).place)
    return excluded((each, of(each).rule.rhythm, of(each).rule.audience) for each in ordered)


def firings_of(
    told: Iterable[tuple[Listener, Occurrence]], now: datetime, *, beginning: Beginning | None = None
) -> list[dict[str, Any]]:
    """Return the firings of one event.

    Args:
        told: The rules that it is for, each with the event as that rule tells it.
        now: The present.
        beginning: Of an event of time.
    """
    found = []
    for (listener, occurrence), kept_from in once(told, of=lambda each: each[0]):
        rule = listener.rule
        repeats = rule.repeat_seconds if occurrence.event not in OVER_AT_ONCE else None
        found.append(
            {
                "rule_id": listener.id,
                "event": occurrence.event,
                "source": str(occurrence.source),
                "subject_table": occurrence.table,
                "subject_id": str(occurrence.subject_id),
                "subject_name": occurrence.name,
                "job_id": occurrence.job_id,
                "at": occurrence.at.isoformat(),
                "due_at": due_at(rule.pace, rule.quiet, now).isoformat(),
                "remind_at": (now + timedelta(seconds=repeats)).isoformat() if repeats else None,
                "attempt": beginning.attempt if beginning else None,
                "began_at": beginning.began_at.isoformat() if beginning else None,
                "percent": rule.limits.percent if occurrence.event == RuleEvent.BEHIND else None,
                # What an earlier rule tells to all of its audience is not told again.
                "line": None if kept_from is None else occurrence.line,
                "kept_key": kept_from.key if kept_from else "",
                "kept_from": kept_from.as_json if kept_from else {},
            }
        )
    return found
