"""Request models of the ingest API, with their validation, descriptions and examples."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from pages.api.fields import (
    MAX_BARS,
    MAX_LINES,
    MAX_OPERATIONS,
    MAX_RUNS,
    Amount,
    Attempt,
    Begins,
    Count,
    Environment,
    Error,
    JsonObject,
    Name,
    Percent,
    Program,
    Recipients,
    Reporter,
    RunPath,
    Slug,
    Tags,
    Text,
    Unit,
    check_log_time,
    check_not_blank,
)
from services.entities import AgentStatus, GoalStatus, NotificationType, Priority, ScanStatus
from services.entities.alerts import priority_of
from services.errors import NotAccepted
from services.reading import MAX_NOTE, HandlingByKey
from services.schedules.plan import MAX_CRON_CHARACTERS, Plan


class Body(BaseModel):
    """Request body; unknown fields are rejected, since they are most likely misspelled."""

    model_config = ConfigDict(extra="forbid")


class RunBody(Body):
    """A report of a run: its good fields are applied also if others are invalid; the response names those.

    A report without any good field is rejected, and so is one whose `essential_fields` are invalid.
    """

    essential_fields: ClassVar[frozenset[str]] = frozenset()


class Bar(Body):
    """One bar or loop of a program, below the run or below another bar."""

    id: Annotated[str, Field(min_length=1, max_length=40)] = Field(description="Id within the run.", examples=["1"])
    parent: Annotated[str, Field(min_length=1, max_length=40)] | None = Field(
        None, description="Id of the bar that it is nested in; none directly below the run."
    )
    name: Annotated[str, Field(max_length=200)] = Field(description="Display name.", examples=["Epoch 3"])
    status: Literal["in_progress", "completed", "stopped", "blocked", "cancelled"] = Field(
        "in_progress", description="`blocked` if an exception ended it, `stopped` if it was left early."
    )
    completed: Amount = Field(0, description="Units done.")
    total: Amount | None = Field(None, description="Units to do, if known.")
    unit: Unit | None = Field(None, description="Unit of both.")


class ScheduleReport(Body):
    """When the runs of a job are expected. One that a person wrote is not changed by reports."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"expect": "0 2 * * 1-5", "zone": "Europe/Berlin", "grace": "30m", "max": "2h"}]
        }
    )
    expect: Annotated[str, Field(min_length=1, max_length=MAX_CRON_CHARACTERS)] = Field(
        description="Cron line of five fields, or an interval such as `15m`.", examples=["0 2 * * 1-5"]
    )
    zone: Annotated[str, Field(max_length=60)] | None = Field(
        None, description="IANA name of the time zone; UTC by default.", examples=["Europe/Berlin"]
    )
    grace: Annotated[str, Field(max_length=40)] | None = Field(
        None, description="Time after which a run that is due is late; 10m by default, at most the interval."
    )
    max: Annotated[str, Field(max_length=40)] | None = Field(
        None, description="Longest time that a run may take; any by default."
    )

    @property
    def plan(self) -> Plan:
        """The plan that it says."""
        return Plan.parse(self.__dict__)

    @model_validator(mode="after")
    def _is_a_plan(self) -> "ScheduleReport":
        try:
            Plan.parse(self.__dict__)
        except NotAccepted as error:
            raise ValueError(str(error).rstrip(".")) from error
        return self

    @model_serializer
    def _as_plan(self) -> dict[str, Any]:
        return self.plan.as_json


class StreamReport(RunBody):
    """Current state of a stream; omitted fields keep their values."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Nightly import", "total": 1200, "advance": 25}]}
    )
    name: Name | None = Field(None, description="Display name; the slug by default.", examples=["Nightly import"])
    description: Text | None = Field(None, description="Purpose of the stream.")
    stream_type: Annotated[str, Field(min_length=1, max_length=60), AfterValidator(check_not_blank)] | None = Field(
        None, description="Kind of stream, in one or two words.", examples=["import"]
    )
    total: Amount | None = Field(None, description="Number of units to complete; may be a fraction.", examples=[1200])
    completed: Amount | None = Field(None, description="Number of completed units.", examples=[325])
    advance: Amount | None = Field(None, description="Units to add to the stored `completed`.")
    percent: Percent | None = Field(
        None, description="Sets `completed` to this part of the total, which is 100 if none is known."
    )
    default_total: Amount | None = Field(None, description="Total of a stream that has none yet.")
    unit: Unit | None = Field(
        None,
        description="Name of the units; with `B`, amounts show as KiB, MiB and so on. An empty one removes it.",
        examples=["rows"],
    )
    bars: list[Bar] | None = Field(
        None,
        max_length=MAX_BARS,
        description="Bars and loops of the program, at most 50; merged by `id` with those reported before.",
    )
    bar_count: Count | None = Field(None, description="Bars that the program had so far, if more than it reports.")
    reporter: Reporter | None = None
    program: Program | None = None
    attempt: Attempt | None = None
    begins: Begins | None = None
    tags: Tags | None = None
    environment: Environment | None = None
    schedule: ScheduleReport | None = None
    status: GoalStatus | None = Field(None, description="Status of the goal; `in_progress` by default.")
    target_metrics: JsonObject | None = Field(
        None, description="Targets; `quality_target` shows on the stream's card.", examples=[{"quality_target": 0.95}]
    )
    metadata: JsonObject | None = Field(None, description="Further data, stored unchanged.", examples=[{"host": "w3"}])

    @model_validator(mode="after")
    def _one_way_to_count(self) -> "StreamReport":
        if self.completed is not None and self.advance is not None:
            raise ValueError("advance: give either completed or advance, not both")
        if self.completed is not None and self.percent is not None:
            raise ValueError("percent: give either completed or percent, not both")
        if self.bars and len({bar.id for bar in self.bars}) < len(self.bars):
            raise ValueError("bars: give each bar an id of its own")
        return self


class ScanReport(RunBody):
    """Current state of a scan; omitted fields keep their values."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"steps": ["find", "read", "rank"], "step": "read", "progress": 40}]}
    )
    name: Name | None = Field(None, description="Display name; the slug by default.")
    stream: Slug | None = Field(None, description="Slug of the stream that it belongs to; created if unknown.")
    status: ScanStatus | None = Field(None, description="Status of the scan; `scanning` by default.")
    steps: list[Annotated[str, Field(min_length=1, max_length=200)]] | None = Field(
        None, max_length=100, description="Names of the steps, in order.", examples=[["find", "read", "rank"]]
    )
    step: Annotated[str, Field(max_length=200)] | None = Field(None, description="Name of the current step.")
    progress: Percent | None = Field(None, description="Progress in percent.")
    targets_identified: Count | None = Field(None, description="Number of targets found.")
    targets_analyzed: Count | None = Field(None, description="Number of targets analyzed.")
    advance: Count | None = Field(
        None, description="Targets to add to `targets_analyzed`; `progress`, if omitted, follows from both numbers."
    )
    reporter: Reporter | None = None
    program: Program | None = None
    attempt: Attempt | None = None
    begins: Begins | None = None
    tags: Tags | None = None
    environment: Environment | None = None
    schedule: ScheduleReport | None = None


class AgentReport(RunBody):
    """Current state of an agent's run; omitted fields keep their values."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"agent_name": "Reader", "stream": "nightly-import", "status": "running"}]}
    )
    agent_id: Name | None = Field(None, description="Id shared by all runs of one agent; its name by default.")
    agent_name: Name | None = Field(None, description="Display name; the slug by default.")
    stream: Slug | None = Field(
        None, description='Slug of the stream that it works on; created if unknown, "default" by default.'
    )
    status: AgentStatus | None = Field(None, description="Status of the run; `running` by default.")
    input_summary: Text | None = Field(None, description="Summary of the input.")
    output_summary: Text | None = Field(None, description="Summary of the output.")
    attempt: Attempt | None = None
    begins: Begins | None = None
    tags: Tags | None = None
    environment: Environment | None = None
    schedule: ScheduleReport | None = None


class Finish(RunBody):
    """Final state of a run; a status that is not understood is rejected, since it must not end as another."""

    essential_fields = frozenset({"status"})
    error: Error | None = None


class StreamFinish(Finish):
    """Final state of a stream."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "completed"}]})
    status: Literal["completed", "stopped", "blocked", "cancelled"] | None = Field(
        None,
        description="`completed` by default; `stopped` if it ended early on purpose, `blocked` if it failed.",
    )
    reporter: Reporter | None = None


class ScanFinish(Finish):
    """Final state of a scan."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "failed", "error": "No answer in 30 s"}]})
    status: Literal["completed", "stopped", "failed", "cancelled"] | None = Field(
        None, description="`completed` by default; `stopped` if it ended early on purpose."
    )
    keep_progress: bool | None = Field(
        None, description="Whether a scan that completed keeps the progress that was reported; else it has 100 percent."
    )
    reporter: Reporter | None = None


class AgentFinish(Finish):
    """Final state of an agent's run."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"output_summary": "17 licences found"}]})
    status: Literal["completed", "failed", "cancelled"] | None = Field(None, description="`completed` by default.")
    output_summary: Text | None = Field(None, description="Summary of the output.")


class Close(Body):
    """End of an unfinished run as cancelled. Its program is not stopped; its further reports are rejected.

    Those of a program that names neither its run (`job@key`) nor itself (`reporter`) begin the next run of the job.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"error": "Its machine was switched off"}]})
    error: Error | None = Field(None, description="Cause, shown with the run; what it reported stays by default.")


class Handle(Body):
    """What the team does about a run."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"handling": "taken", "note": "The disk is being replaced"}]}
    )
    handling: HandlingByKey = Field(description="Whether somebody takes care of it, or it is done.")
    note: Annotated[str, Field(max_length=MAX_NOTE)] = Field("", description="What to say about it in its thread.")


class Empty(Body):
    """Body of an operation without fields."""


class AlertReport(Body):
    """A detected signal; each recipient gets an alert of their own."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"target_name": "requests 2.0", "signal_type": "unusually_large", "signal_strength": 80}]
        }
    )
    target_name: Name = Field(description="Subject of the alert.", examples=["requests 2.0"])
    signal_type: Annotated[str, Field(min_length=1, max_length=80), AfterValidator(check_not_blank)] = Field(
        description="Kind of signal that was detected.", examples=["unusually_large"]
    )
    signal_strength: Annotated[int, Field(strict=True, ge=0, le=100)] = Field(
        description="Strength from 0 to 100: urgent from 90, high from 75, medium from 50."
    )
    priority: Priority | None = Field(None, description="Derived from `signal_strength`; if given, it must match.")
    company_name: Annotated[str, Field(max_length=200)] | None = Field(
        None, description="Company that the target belongs to."
    )
    stream: Slug | None = Field(None, description="Slug of the stream in which the signal was detected.")
    metadata: JsonObject | None = Field(None, description="Further data, stored unchanged.")
    to: Recipients | None = None

    @model_validator(mode="after")
    def _fits(self) -> "AlertReport":
        if self.priority is not None and self.priority != (fits := priority_of(self.signal_strength)):
            raise ValueError(
                f"priority: {self.priority.value!r} does not match a signal_strength of {self.signal_strength}, which "
                f"is {fits.value!r}; omit it"
            )
        return self


class NotificationReport(Body):
    """A message; each recipient gets a notification of their own."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"title": "The import has ended", "type": "success"}]})
    title: Name = Field(description="One line.", examples=["The import has ended"])
    message: Text | None = Field(None, description="Text below the title.")
    type: NotificationType | None = Field(None, description="Kind of notification; `info` by default.")
    action_url: Annotated[str, Field(max_length=2000, pattern=r"^(/|https?://)")] | None = Field(
        None, description="Link of the title: a path of Livewatch or an http(s) URL."
    )
    to: Recipients | None = None


class LogLine(Body):
    """One line of a log."""

    message: Annotated[str, Field(max_length=2000)] = Field(description="At most 2,000 characters.")
    level: Literal["debug", "info", "warning", "error", "critical"] | None = Field(
        None, description="`info` by default."
    )
    at: Annotated[AwareDatetime, AfterValidator(check_log_time)] | None = Field(
        None, description="Time in ISO 8601 with a UTC offset, within the last 366 days; now by default."
    )


class LogReport(Body):
    """Lines of a run's log, oldest first; accepted even after the run has finished."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"run": "streams/nightly-import", "lines": [{"message": "Page 3 of 40"}]}]}
    )
    run: RunPath = Field(description="Path of the run.")
    lines: list[LogLine] = Field(min_length=1, max_length=MAX_LINES, description="At most 500 lines.")


class HeartbeatReport(Body):
    """Heartbeats of runs; every other write to a run counts as a heartbeat too."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"runs": ["streams/nightly-import"], "interval": 15}]})
    runs: list[RunPath] = Field(min_length=1, max_length=MAX_RUNS, description="Paths of the runs, at most 500.")
    interval: Annotated[float, Field(strict=True, ge=1, le=86_400)] | None = Field(
        None,
        description="Seconds until the next heartbeat, 15 by default. An active run that sends no heartbeat for three "
        "intervals shows as unreachable until its next report.",
    )
    reporter: Reporter | None = None


class BatchOperation(Body):
    """One request within a batch."""

    method: Literal["PUT", "POST", "DELETE"] = Field(examples=["PUT"])
    path: Annotated[str, Field(max_length=200)] = Field(
        description="Path relative to /api/v1.", examples=["/streams/nightly-import"]
    )
    body: Any = Field(None, description="Body of the single request.", examples=[{"advance": 1}])
    idempotency_key: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="Value of the header `Idempotency-Key` of the single request."
    )
    age: Annotated[float, Field(strict=True, ge=0)] | None = Field(
        None,
        description="Seconds since the report was made, for reports that waited; at most 7 days count. It dates what "
        "the report changes: creation, start, end, progress.",
    )
    made_at: AwareDatetime | None = Field(
        None, description="Time by the program's clock when it was made; corrects the times of log lines."
    )


class Batch(Body):
    """Requests that are applied in order, in one transaction; a failed one does not affect the others."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "operations": [
                        {"method": "PUT", "path": "/streams/nightly-import", "body": {"advance": 1}},
                        {"method": "POST", "path": "/streams/nightly-import/finish", "body": {}},
                    ]
                }
            ]
        }
    )
    operations: list[Annotated[Any, WithJsonSchema(BatchOperation.model_json_schema())]] = Field(
        min_length=1,
        max_length=MAX_OPERATIONS,
        description="At most 500. Only invalid operations are rejected.",
    )
