"""Rule: of which events, for what, whom to tell, and how often; as a person writes it and the database stores it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from services.entities import Priority
from services.entities.base.status import StyledStatus
from services.errors import NotAccepted
from services.people.models import Role
from services.period import zone_of
from services.rules.terms.audience import Audience
from services.rules.terms.limits import Limits
from services.rules.terms.pace import Pace, QuietHours
from services.rules.terms.run_filter import EVERY_RUN, RunFilter
from services.rules.terms.template import MessageTemplate
from services.schedules.duration import seconds_of
from services.text import is_blank, storable, uuid_of

MAX_NAME_CHARACTERS = 120
MAX_RECIPIENTS = 100
MIN_REPEAT_SECONDS, MAX_REPEAT_SECONDS = 300.0, 7 * 86400.0
NO_LIMITS = Limits()
NO_TEMPLATE = MessageTemplate()
_E = TypeVar("_E", bound=StrEnum)


class RuleEvent(StyledStatus):
    """What a rule listens to."""

    FAILED = "failed", "critical", "error_outline", "Failed or blocked"
    UNREACHABLE = "unreachable", "critical", "cloud_off", "Unreachable"
    LATE = "late", "critical", "alarm", "Late"
    STALLED = "stalled", "caution", "hourglass_disabled", "Stalled"
    OVERDUE = "overdue", "caution", "timer_off", "Overdue"
    SLOW = "slow", "caution", "schedule", "Longer than usual"
    AT_RISK = "at_risk", "caution", "warning_amber", "At risk"
    FINISHED = "finished", "positive", "check_circle", "Finished"
    OVERLONG = "overlong", "caution", "more_time", "Longer than a number of times usual"
    BEHIND = "behind", "caution", "trending_down", "Below a progress in time"
    ABSENT = "absent", "critical", "event_busy", "Without a run for a time"
    ALERT = "alert", "active", "notifications", "Alert"


TIMED = frozenset({RuleEvent.OVERLONG, RuleEvent.BEHIND, RuleEvent.ABSENT})
"""Events that time alone makes, with figures of the rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What to tell whom; `parse` makes valid ones alone.

    Args:
        name: Its name, which messages show.
        events: What it listens to.
        filter: For which runs and jobs it is.
        priority: Least priority of an alert.
        people: Members to tell.
        roles: Roles whose members to tell.
        channels: Channels to tell.
        pace: How events are gathered.
        repeat_seconds: Time after which what is still so is told again; None for once.
        quiet: Hours in which nothing is told; None for no such hours.
        tells_recovery: Whether it is told when it is over.
        limits: Its figures for what time alone makes.
        zone: Name of the time zone of its times of day.
        template: How its messages are worded.
    """

    name: str
    events: frozenset[RuleEvent]
    filter: RunFilter = EVERY_RUN
    priority: Priority = Priority.LOW
    people: tuple[UUID, ...] = ()
    roles: tuple[Role, ...] = ()
    channels: tuple[UUID, ...] = ()
    pace: Pace = Pace.GROUPED
    repeat_seconds: float | None = None
    quiet: QuietHours | None = None
    tells_recovery: bool = True
    limits: Limits = NO_LIMITS
    zone: str = "UTC"
    template: MessageTemplate = NO_TEMPLATE

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> "Rule":
        """Read a rule as a person or the database gave it; `quiet` is a text like 22:00-07:00, of the zone `zone`.

        Raises:
            NotAccepted: Something is wrong; the message names it and its value.
        """
        name = storable(str(given.get("name") or "")).strip()
        if is_blank(name) or len(name) > MAX_NAME_CHARACTERS:
            raise NotAccepted(f"The name of a rule has 1 to {MAX_NAME_CHARACTERS} characters.")
        events = frozenset(_members(RuleEvent, given.get("events"), "event"))
        if not events:
            raise NotAccepted("Select at least one event, or the rule never fires.")
        rule = cls(
            name=name,
            events=events,
            filter=RunFilter.parse(given),
            priority=_one(Priority, given.get("priority") or Priority.LOW, "priority"),
            people=_ids(given.get("people"), "person"),
            roles=tuple(_members(Role, given.get("roles"), "role")),
            channels=_ids(given.get("channels"), "channel"),
            pace=_one(Pace, given.get("pace") or Pace.GROUPED, "pace"),
            repeat_seconds=_repeat(given.get("repeat_seconds") or given.get("repeat")),
            quiet=QuietHours.parse(str(given.get("quiet") or ""), str(given.get("zone") or "")),
            tells_recovery=bool(given.get("tells_recovery", True)),
            limits=Limits.parse(
                given,
                overlong=RuleEvent.OVERLONG in events,
                behind=RuleEvent.BEHIND in events,
                absent=RuleEvent.ABSENT in events,
            ),
            zone=zone_of(str(given.get("zone") or "")).key,
            template=MessageTemplate.parse(given),
        )
        if not (rule.people or rule.roles or rule.channels):
            raise NotAccepted("Select whom to tell: people, a role, or a channel.")
        if max(len(rule.people), len(rule.channels)) > MAX_RECIPIENTS:
            raise NotAccepted(f"A rule tells at most {MAX_RECIPIENTS} people and {MAX_RECIPIENTS} channels.")
        return rule

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "Rule":
        """Return the rule of a row; raises NotAccepted for one that was written past the app, or by a later version."""
        return cls.parse({**record["definition"], "name": record["name"], "events": record["events"]})

    @property
    def definition(self) -> dict[str, Any]:
        """The rule as the database stores it, without name and events, and without what is left at its default."""
        everything: dict[str, Any] = {
            **self.filter.definition,
            "priority": self.priority.value if self.priority is not Priority.LOW else "",
            "people": [str(each) for each in self.people],
            "roles": [each.value for each in self.roles],
            "channels": [str(each) for each in self.channels],
            "pace": self.pace.value,
            "repeat_seconds": self.repeat_seconds,
            "quiet": str(self.quiet) if self.quiet else "",
            "zone": self.zone if self.quiet or self.limits.clock else "",
            **self.limits.definition,
            **self.template.definition,
        }
        return {name: value for name, value in everything.items() if value} | {"tells_recovery": self.tells_recovery}

    @property
    def judged_when(self) -> str:
        """When progress is judged, such as `after 2h` or `at 06:00 (UTC)`."""
        return f"at {self.limits.after} ({self.zone})" if self.limits.clock else f"after {self.limits.after}"

    @property
    def audience(self) -> Audience:
        """Whom it tells."""
        return Audience(
            people=frozenset(map(str, self.people)),
            roles=frozenset(each.value for each in self.roles),
            channels=frozenset(map(str, self.channels)),
        )

    @property
    def rhythm(self) -> tuple[Pace, QuietHours | None]:
        """What is equal for rules that tell an event at the same time."""
        return self.pace, self.quiet


def _members(of: type[_E], given: Iterable[Any] | None, what: str) -> list[_E]:
    return [_one(of, each, what) for each in dict.fromkeys(given or ())]


def _one(of: type[_E], given: Any, what: str) -> _E:
    try:
        return of(given)
    except ValueError:
        raise NotAccepted(f"“{given}” is no {what}. There are {', '.join(each.value for each in of)}.") from None


def _ids(given: Iterable[Any] | None, what: str) -> tuple[UUID, ...]:
    found = []
    for each in dict.fromkeys(given or ()):
        id = each if isinstance(each, UUID) else uuid_of(str(each))
        if id is None:
            raise NotAccepted(f"“{each}” is not the id of a {what}.")
        found.append(id)
    return tuple(found)


def _repeat(given: Any) -> float | None:
    if given in (None, "", 0):
        return None
    text = f"{given:.0f}" if isinstance(given, int | float) else str(given)
    return seconds_of(text, what="The time of repeats", minimum=MIN_REPEAT_SECONDS, maximum=MAX_REPEAT_SECONDS)
