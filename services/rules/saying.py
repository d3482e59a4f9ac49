"""Sayings: how what time alone made is told of a run or a job."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from services.rules.clocks import Judged
from services.rules.occurrence import Occurrence
from services.rules.rule import TIMED, Rule, RuleEvent
from services.schedules.duration import duration_text


def as_told(occurrence: Occurrence, rule: Rule, *, said: str = "") -> Occurrence:
    """Return an event as a rule tells it: what time alone makes with its figures, and `said` as the text."""
    if occurrence.event not in TIMED:
        return occurrence
    return replace(occurrence, verb=_verb(occurrence.event, rule), said=said)


def said_of(event: RuleEvent, judged: Judged, row: Mapping[str, Any], now: datetime) -> str:
    """Return the text of an event, of what is known of the run or the job."""
    elapsed = duration_text((now - judged.began).total_seconds())
    if event is RuleEvent.OVERLONG:
        return f"It has taken {elapsed}; its job usually takes {duration_text(judged.usual_seconds or 0.0)}."
    if event is RuleEvent.BEHIND:
        return f"It is at {row['progress']:g} % after {elapsed}."
    return f"The last one began at {judged.began:%Y-%m-%d %H:%M} UTC." if row.get("newest") else "It has had none yet."


def _verb(event: str, rule: Rule) -> str:
    limits = rule.limits
    if event == RuleEvent.OVERLONG:
        return f"takes more than {limits.times:g} times as long as usual"
    if event == RuleEvent.BEHIND:
        return f"is below {limits.percent:g} % {rule.judged_when}"
    return f"has had no run for {limits.absent}"
