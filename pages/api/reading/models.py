"""Response models of the endpoints that read: rows of lists, and what belongs to runs."""

from datetime import UTC, date
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field

from services.entities import AgentStatus, Amount, GoalStatus, NotificationType, Priority, ScanStatus

Time = Annotated[AwareDatetime, AfterValidator(lambda at: at.astimezone(UTC))]
"""A time, in UTC."""


class ReadRow(BaseModel):
    """Base of the rows."""

    id: UUID
    created_at: Time
    url: str = Field(description="Path of the page that shows it, relative to the public address.")


class ReadRun(ReadRow):
    """What all runs have."""

    slug: str | None = Field(description="Name in URLs and reports; null for a run that a person made.")
    number: int | None = Field(description="Counts the runs of its job; null for a run that a person made.")
    attempt: int = Field(description="Number of the current try, from 1.")
    attempt_started_at: Time | None = Field(description="When that began, where it is not its creation.")
    attempts: list[dict[str, Any]] | None = Field(None, description="The earlier tries; omitted in lists.")
    environment: dict[str, Any] | None = Field(
        None, description="What it runs in, as its program said; omitted in lists."
    )
    usual_seconds: float | None = Field(description="How long runs of the job usually take; null while unknown.")
    version: int = Field(description="Grows with every change of the row.")
    updated_at: Time = Field(description="Time of the latest change; heartbeats and archiving do not count.")
    is_finished: bool
    is_unreachable: bool = Field(description="Whether it is in progress and missed three heartbeats.")
    error: str | None = Field(description="Cause of a failure.")
    heartbeat_at: Time | None = Field(description="Latest report or heartbeat; null if no program reports it.")
    heartbeat_interval: float | None = Field(description="Seconds between two heartbeats, as declared.")
    archived_at: Time | None = Field(description="When it was moved out of the lists.")


class ReadStream(ReadRun):
    """A stream. Bars, metrics and metadata are omitted in lists."""

    name: str
    description: str
    stream_type: str
    status: GoalStatus
    completed: Amount = Field(description="Units done.")
    total: Amount = Field(description="Units to do; 0 if unknown.")
    unit: str | None
    percent: float | None = Field(description="0 to 100; null without a total.")
    rate: float | None = Field(description="Units per second, recently; null while unknown.")
    bar_count: int = Field(description="Bars that it had so far.")
    tags: list[str]
    due_on: date | None
    program: str | None = Field(description="Id of the process that started it.")
    is_stalled: bool = Field(description="Whether it made no progress for much longer than usual.")
    last_progress_at: Time | None
    finished_at: Time | None
    bars: list[dict[str, Any]] | None = Field(None, description="Its bars, at most 50.")
    target_metrics: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


class ReadScan(ReadRun):
    """A scan. Steps are omitted in lists."""

    name: str
    status: ScanStatus
    stream_id: UUID | None
    step: str | None = Field(description="Name of the current step.")
    progress: float = Field(description="0 to 100.")
    rate: float | None = Field(description="Percentage points per second, recently; null while unknown.")
    targets_identified: int
    targets_analyzed: int
    tags: list[str]
    is_stalled: bool = Field(description="Whether it made no progress for much longer than usual.")
    last_progress_at: Time | None
    started_at: Time | None
    completed_at: Time | None
    steps: list[Any] | None = Field(None, description="Names of its steps, in order.")


class ReadAgent(ReadRun):
    """An agent execution."""

    agent_id: str
    agent_name: str
    status: AgentStatus
    stream_id: UUID
    started_at: Time | None
    completed_at: Time | None
    duration_ms: int | None
    input_summary: str | None
    output_summary: str | None
    tags: list[str]


class ReadAlert(ReadRow):
    """An alert that a program sent, once however many people it went to. Metadata is omitted in lists."""

    detected_at: Time | None
    stream_id: UUID | None
    target_name: str
    company_name: str | None
    signal_type: str
    signal_strength: int = Field(description="0 to 100.")
    priority: Priority
    sent_by: UUID = Field(description="Id of the key that sent it.")
    metadata: dict[str, Any] | None = None


class ReadNotification(ReadRow):
    """A notification that a program sent, once however many people it went to."""

    type: NotificationType
    title: str
    message: str
    action_url: str | None
    sent_by: UUID = Field(description="Id of the key that sent it.")


class ReadActivity(ReadRow):
    """A status that a run took, or an incident of a run or a job: its kind, or `recovered`."""

    kind: Literal["stream", "scan", "agent", "job"]
    run_id: UUID = Field(description="Id of the run, or of the job.")
    run_name: str = Field(description="As the run was called then.")
    stream_id: UUID | None
    status: str
    previous_status: str | None = Field(description="Null for a new run.")
    is_by_person: bool = Field(description="Whether a person made the change, and no program.")


class LogLine(BaseModel):
    """A line of a log."""

    id: int = Field(description="Grows with every line.")
    at: Time
    level: str
    message: str


class HistoryPoint(BaseModel):
    """Progress at a time; of scans, in per cent."""

    at: Time
    completed: Amount
    total: Amount


NumberOrName = Annotated[float | str, Field(description='A number, "NaN", "Infinity" or "-Infinity".')]


class ReadMetric(BaseModel):
    """A metric of a run."""

    name: str
    points: int
    first_step: int
    last_step: int
    last_value: NumberOrName
    minimum: float | None = Field(description="The least finite value; null without any.")
    maximum: float | None = Field(description="The greatest finite value; null without any.")
    created_at: Time
    updated_at: Time


class MetricPoint(BaseModel):
    """One value of a metric, by step."""

    step: int
    at: Time
    value: NumberOrName


class ReadArtefact(BaseModel):
    """What a run stored; its bytes are for members, at `/artefacts/{id}`."""

    id: UUID
    name: str
    kind: Literal["file", "image", "table", "markdown"]
    media_type: str = Field(description="Found out from the bytes.")
    size: int = Field(description="Bytes.")
    sha256: str
    created_at: Time


class Comment(BaseModel):
    """What somebody wrote about a run, in Markdown, or a note that somebody takes care of it."""

    id: UUID
    number: int = Field(description="Counts from 1 in each run's comments.")
    kind: Literal["message", "handling"]
    author: str = Field(description="As the author was called then.")
    body: str = Field(description="Empty once deleted.")
    reply_to: int | None = Field(description="Number of the comment that it answers.")
    created_at: Time
    edited_at: Time | None
    is_deleted: bool


T = TypeVar("T")


class Listing(BaseModel, Generic[T]):
    """One page of a list. A page may have fewer items than `limit`, or none, before the last."""

    items: list[T]
    next: str | None = Field(description="`cursor` of the next page; null on the last one.")


ROWS: dict[str, type[ReadRow]] = {
    "streams": ReadStream,
    "scans": ReadScan,
    "agents": ReadAgent,
    "alerts": ReadAlert,
    "notifications": ReadNotification,
    "activities": ReadActivity,
}
"""Model of a row, by path."""
PART_ROWS: dict[str, type[BaseModel]] = {
    "logs": LogLine,
    "history": HistoryPoint,
    "metrics": ReadMetric,
    "points": MetricPoint,
    "artefacts": ReadArtefact,
    "comments": Comment,
}
"""Model of what belongs to runs, by path."""
