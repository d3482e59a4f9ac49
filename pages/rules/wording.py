"""Sentences about rules and times."""

from datetime import UTC, datetime

from pages.rules.choices import Choices
from services.entities import RUNS, Priority
from services.people.models import Role
from services.rules.rule import Rule, RuleEvent
from services.rules.terms.pace import Pace
from services.schedules.duration import duration_text
from services.text import visible, visible_name

PACES = {
    Pace.AT_ONCE: "At once",
    Pace.GROUPED: "Grouped for 30 seconds",
    Pace.HOURLY: "Once an hour",
    Pace.DAILY: "Once a day, at 8:00",
}
ROLES = {Role.VIEWER: "Viewers", Role.OPERATOR: "Operators", Role.ADMIN: "Admins"}


def sentence_of(rule: Rule, known: Choices) -> str:
    """Return what a rule does, for people."""
    events = ", ".join(_event(event, rule) for event in RuleEvent if event in rule.events)
    chosen = rule.filter
    scope = [f"of {', '.join(RUNS[kind].label.lower() for kind in chosen.kinds)}"] if chosen.kinds else []
    scope += [f"of the job {visible(chosen.job)}"] if chosen.job else []
    scope += [f"with the tag {_any_of(chosen.chosen['tag'])}"] if "tag" in chosen.chosen else []
    scope += [f"of the agent {_any_of(chosen.chosen['agent'])}"] if "agent" in chosen.chosen else []
    scope += ["of chosen streams"] if "stream" in chosen.chosen else []
    scope += [f"found by “{visible(chosen.search)}”"] if chosen.search else []
    if RuleEvent.ALERT in rule.events and rule.priority is not Priority.LOW:
        scope.append(f"from the priority {rule.priority.style.label.lower()} on")
    told = [ROLES[role].lower() for role in rule.roles]
    told += [known.people.get(each, "somebody who left") for each in rule.people]
    told += [
        visible_name(known.channels[each].name) if each in known.channels else "a channel that was removed"
        for each in rule.channels
    ]
    how = [PACES[rule.pace].lower()]
    how += [f"again every {duration_text(rule.repeat_seconds)}"] if rule.repeat_seconds else []
    how += (
        [f"not between {rule.quiet.begins:%H:%M} and {rule.quiet.ends:%H:%M} ({rule.quiet.zone})"] if rule.quiet else []
    )
    how += ["in words of its own"] if rule.template.title or rule.template.text else []
    about = f"{events} {' '.join(scope)}".strip()
    return f"{about[:1].upper()}{about[1:]}: tells {', '.join(told)}; {', '.join(how)}."


def _event(event: RuleEvent, rule: Rule) -> str:
    limits = rule.limits
    if event is RuleEvent.OVERLONG:
        return f"longer than {limits.times:g} times usual"
    if event is RuleEvent.BEHIND:
        return f"below {limits.percent:g} % {rule.judged_when}"
    if event is RuleEvent.ABSENT:
        return f"without a run for {limits.absent}"
    return event.style.label.lower()


def _any_of(values: str) -> str:
    return " or ".join(visible(each) for each in values.split(","))


def when_text(moment: datetime) -> str:
    """Return a time of the past as minutes, hours or days ago."""
    seconds = (datetime.now(UTC) - moment).total_seconds()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return "just now"
