"""Sayings: how what time alone made is told of a run or a job."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.rules.clocks import Judged
from services.rules.rule import Rule, RuleEvent
from services.schedules.duration import duration_text


def verb_of(event: str, rule: Rule) -> str:
    """Return what follows the name in the title of an event of a rule."""
    limits = rule.limits
    if event == RuleEvent.OVERLONG:
        return f"takes more than {limits.times:g} times as long as usual"
    if event == RuleEvent.BEHIND:
        at = f"at {limits.after} ({rule.zone})" if limits.clock else f"after {limits.after}"
        return f"is below {limits.percent:g} % {at}"
    return f"has had no run for {limits.absent}"


def said_of(event: RuleEvent, judged: Judged, row: Mapping[str, Any], now: datetime) -> str:
    """Return the text of an event, of what is known of the run or the job."""
    elapsed = duration_text((now - judged.began).total_seconds())
    if event is RuleEvent.OVERLONG:
        return f"It has taken {elapsed}; its job usually takes {duration_text(judged.usual_seconds or 0.0)}."
    if event is RuleEvent.BEHIND:
        return f"It is at {row['progress']:g} % after {elapsed}."
    return f"The last one began at {judged.began:%Y-%m-%d %H:%M} UTC." if row.get("newest") else "It has had none yet."
