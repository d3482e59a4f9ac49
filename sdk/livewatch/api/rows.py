"""What the API returns, as values. Fields that a server of another version does not send, or not so, are None."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, TypeVar


@dataclass(frozen=True)
class Row:
    """What every row has; `url` is the path of its page."""

    id: str
    created_at: datetime
    url: str


@dataclass(frozen=True)
class Run(Row):
    """What streams, scans and agent executions have; `slug` is None for what a person made.

    `number` counts the runs of a job, `attempt` the tries of a run; `attempts`, the earlier ones, is None in lists.
    """

    slug: str | None
    status: str
    version: int
    updated_at: datetime
    is_finished: bool
    is_unreachable: bool
    error: str | None
    heartbeat_at: datetime | None
    heartbeat_interval: float | None
    archived_at: datetime | None
    number: int | None
    attempt: int
    attempt_started_at: datetime | None
    usual_seconds: float | None

    @property
    def title(self) -> str:
        """Its name, as people read it."""
        return str(getattr(self, "name", None) or getattr(self, "agent_name", ""))

    @property
    def percentage(self) -> float | None:
        """Progress from 0 to 100; None if it has none."""
        value = getattr(self, "percent", getattr(self, "progress", None))
        return None if value is None else float(value)


@dataclass(frozen=True)
class Stream(Run):
    """A stream; `bars`, `target_metrics` and `metadata` are None in lists."""

    name: str
    description: str
    stream_type: str
    completed: float
    total: float
    unit: str | None
    percent: float | None
    rate: float | None
    bar_count: int
    tags: list[str]
    due_on: date | None
    program: str | None
    is_stalled: bool
    last_progress_at: datetime | None
    finished_at: datetime | None
    attempts: list[dict[str, Any]] | None = None
    bars: list[dict[str, Any]] | None = None
    target_metrics: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


@dataclass(frozen=True)
class Scan(Run):
    """A scan; `steps` is None in lists."""

    name: str
    stream_id: str | None
    step: str | None
    progress: float
    rate: float | None
    targets_identified: int
    targets_analyzed: int
    tags: list[str]
    is_stalled: bool
    last_progress_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    attempts: list[dict[str, Any]] | None = None
    steps: list[Any] | None = None


@dataclass(frozen=True)
class AgentExecution(Run):
    """An agent execution."""

    agent_id: str
    agent_name: str
    stream_id: str
    started_at: datetime | None
    completed_at: datetime | None
    duration_ms: int | None
    input_summary: str | None
    output_summary: str | None
    tags: list[str]
    attempts: list[dict[str, Any]] | None = None


@dataclass(frozen=True)
class Alert(Row):
    """An alert that a program sent, once however many people it went to; `metadata` is None in lists."""

    target_name: str
    signal_type: str
    signal_strength: int
    priority: str
    company_name: str | None
    stream_id: str | None
    detected_at: datetime | None
    sent_by: str
    metadata: dict[str, Any] | None = None


@dataclass(frozen=True)
class Notification(Row):
    """A notification that a program sent, once however many people it went to."""

    type: str
    title: str
    message: str
    action_url: str | None
    sent_by: str


@dataclass(frozen=True)
class Activity(Row):
    """A status that a run took."""

    kind: str
    run_id: str
    run_name: str
    stream_id: str | None
    status: str
    previous_status: str | None
    is_by_person: bool


@dataclass(frozen=True)
class LogLine:
    """A line of a log; ids grow."""

    id: int
    at: datetime
    level: str
    message: str


@dataclass(frozen=True)
class HistoryPoint:
    """Progress at a time; of scans, in per cent."""

    at: datetime
    completed: float
    total: float


@dataclass(frozen=True)
class Comment:
    """What somebody wrote about a run, in Markdown; `body` is empty once deleted."""

    id: str
    number: int
    kind: str
    author: str
    body: str
    reply_to: int | None
    created_at: datetime
    edited_at: datetime | None
    is_deleted: bool


T = TypeVar("T")


def row_of(kind: type[T], values: Mapping[str, Any]) -> T:
    """Return the value of a JSON object; fields that it lacks are None, and those that it has more are left out."""
    # With annotations as texts, the types of fields are texts.
    return kind(**{each.name: _value(str(each.type), values.get(each.name)) for each in fields(kind)})  # type: ignore[arg-type]


def time_of(text: str) -> datetime:
    """Return a time of ISO 8601; raises ValueError."""
    # Python 3.10 does not know Z.
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _value(kind: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        if kind.startswith("datetime"):
            return time_of(value)
        return date.fromisoformat(value) if kind.startswith("date") else value
    except ValueError:
        return None
