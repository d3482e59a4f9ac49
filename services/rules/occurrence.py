"""Occurrences: events as the queue of rules holds them, which rules they are for, and the line that tells of each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from services.entities import ALERTS, RUNS, Priority, Subject
from services.rules.rule import Rule, RuleEvent
from services.rules.terms.run_filter import Matched
from services.text import visible, visible_name

RECOVERED = "recovered"
MAX_ERROR_CHARACTERS = 300
TABLE_KINDS = {entity.table: kind for kind, entity in RUNS.items()}
_PRIORITIES = list(Priority)
_VERBS = {
    RuleEvent.FAILED: "failed",
    RuleEvent.UNREACHABLE: "is unreachable",
    RuleEvent.LATE: "is late",
    RuleEvent.STALLED: "makes no progress",
    RuleEvent.OVERDUE: "is overdue",
    RuleEvent.SLOW: "takes longer than usual",
    RuleEvent.AT_RISK: "is at risk",
    RuleEvent.FINISHED: "finished",
    RuleEvent.OVERLONG: "takes much longer than usual",
    RuleEvent.BEHIND: "is behind",
    RuleEvent.ABSENT: "has not begun",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One event: `event` of a run, a job or an alert; `row` has its facts, none if it was deleted since.

    `of` is the kind of the incident that is over, of an event `recovered`. `verb` and `said` are what its line says in
    place of what its event says.
    """

    org_id: UUID
    event: str
    of: str
    table: str
    subject_id: UUID
    source: UUID
    at: datetime
    name: str
    lasted_seconds: float | None
    row: Mapping[str, Any] = field(default_factory=dict)
    verb: str = ""
    said: str = ""

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "Occurrence":
        """Return the occurrence of an event from `private.take_rule_events`."""
        row, detail = record["row"] or {}, record["detail"]
        name = row.get("name") or detail.get("name") or ""
        return cls(
            org_id=UUID(record["org_id"]),
            event=record["event"],
            of=detail.get("of", ""),
            table=record["subject_table"],
            subject_id=UUID(record["subject_id"]),
            source=UUID(record["source"]),
            at=datetime.fromisoformat(record["at"]),
            name=name,
            lasted_seconds=detail.get("lasted_seconds"),
            row=row,
        )

    @property
    def job_id(self) -> str | None:
        """Id of its job."""
        return str(self.subject_id) if self.table == Subject.JOB else self.row.get("job_id")

    @property
    def job(self) -> str:
        """Slug of its job; empty for none."""
        return job_of(self.row)

    @property
    def kind(self) -> str:
        """Kind of its run, or of the runs of its job; empty for an alert."""
        return kind_of(self.table, self.row)

    @property
    def path(self) -> str:
        """Path of the page that shows it."""
        if self.table == Subject.JOB:
            # Of a job that was deleted since nothing is known but its name.
            return f"/jobs/{self.kind}/{self.row['slug']}" if self.row else "/jobs"
        entity = ALERTS if self.table == ALERTS.table else RUNS[TABLE_KINDS[self.table]]
        return entity.row_path.format(id=self.subject_id)

    def concerns(self, rule: Rule, matched: Matched | None = None) -> bool:
        """Whether a rule is told of it; `matched` is its property of that name, if many rules ask."""
        if self.event not in rule.events:
            return False
        if self.event == RuleEvent.ALERT:
            priority = self.row.get("priority")
            return priority in _PRIORITIES and _PRIORITIES.index(priority) >= _PRIORITIES.index(rule.priority)
        return rule.filter.matches(self.matched if matched is None else matched)

    @property
    def matched(self) -> Matched:
        """Its run or job, as filters see it."""
        is_job = self.table == Subject.JOB
        return Matched(kind=self.kind, job=self.job, facts=self.row, name=self.name, is_job=is_job)

    @property
    def line(self) -> dict[str, Any]:
        """What a message says of it; `type` is that of the message."""
        name = visible_name(self.name)
        if self.event == RuleEvent.ALERT:
            title = f"{name}: {visible(str(self.row.get('signal_type', 'alert'))).replace('_', ' ')}"
            text, type = f"Strength {self.row.get('signal_strength')}", "warning"
        elif self.event == RECOVERED:
            title, text, type = f"{name} {self.verb or 'is back'}", lasted_text(self.lasted_seconds), "success"
        else:
            event = next(each for each in RuleEvent if each == self.event)
            number = self.row.get("number") or 1
            # Of a job that repeats one wants to know which run.
            verb = self.verb or _VERBS[event]
            title = f"{name} #{number} {verb}" if number > 1 else f"{name} {verb}"
            text = self.said or self.error
            type = {"critical": "error", "caution": "warning"}.get(event.style.tone, "success")
        return {
            "event": self.event,
            "title": title,
            "text": text,
            "type": type,
            "path": self.path,
            "at": self.at.isoformat(),
            "run": name,
            "job": self.job,
            "error": self.error,
        }

    @property
    def error(self) -> str:
        """The beginning of the error of its run; empty for none."""
        return visible(str(self.row.get("error") or ""))[:MAX_ERROR_CHARACTERS]


def kind_of(table: str, row: Mapping[str, Any]) -> str:
    """Return the kind of a run, or of the runs of a job, from the facts of either; empty for an alert."""
    return str(row.get("kind") or "") if table == Subject.JOB else TABLE_KINDS.get(table, "")


def job_of(row: Mapping[str, Any]) -> str:
    """Return the slug of a job, or of that of a run, from the facts of either; empty for none."""
    return str(row.get("job") or row.get("slug") or "").partition("@")[0]


def lasted_text(seconds: float | None) -> str:
    """Return how long an incident lasted, such as `After 12 min.`; empty if it is not known."""
    if seconds is None:
        return ""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= size * (2 if unit == "days" else 1):
            return f"After {seconds / size:.0f} {unit}."
    return f"After {seconds:.0f} s."
