"""Request models of the ingest API, with their validation, descriptions and examples."""

import json
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from services.entities import AgentStatus, GoalStatus, NotificationType, Priority, ScanStatus
from services.entities.alerts import priority_of

MAX_COUNT = 2**53
"""Largest integer that JavaScript represents exactly."""
MAX_LINES = 500
MAX_OPERATIONS = 500
MAX_RUNS = 500
MAX_JSON_CHARACTERS = 16_000
SLUG = r"^[A-Za-z0-9._:-]{1,120}$"
RUN = r"^(streams|scans|agents)/[A-Za-z0-9._:-]{1,120}$"


def _check_not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("it must not be blank")
    return value


def _check_size(value: dict[str, Any]) -> dict[str, Any]:
    size = len(json.dumps(value, separators=(",", ":")))
    if size > MAX_JSON_CHARACTERS:
        raise ValueError(f"it has {size:,} characters as JSON; the maximum is {MAX_JSON_CHARACTERS:,}")
    return value


Slug = Annotated[str, Field(pattern=SLUG, examples=["nightly-import"])]
RunPath = Annotated[str, Field(pattern=RUN, examples=["streams/nightly-import"])]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_check_not_blank)]
Count = Annotated[int, Field(strict=True, ge=0, le=MAX_COUNT)]
Text = Annotated[str, Field(max_length=4000)]
Error = Annotated[str, Field(max_length=8000, description="Cause of the failure.")]
JsonObject = Annotated[dict[str, Any], AfterValidator(_check_size)]


class Body(BaseModel):
    """Request body; unknown fields are rejected, since they are most likely misspelled."""

    model_config = ConfigDict(extra="forbid")


class StreamReport(Body):
    """Current state of a stream; omitted fields keep their values."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Nightly import", "total": 1200, "advance": 25}]}
    )
    name: Name | None = Field(None, description="Display name; the slug by default.", examples=["Nightly import"])
    description: Text | None = Field(None, description="Purpose of the stream.")
    stream_type: Annotated[str, Field(min_length=1, max_length=60), AfterValidator(_check_not_blank)] | None = Field(
        None, description="Kind of stream, in one or two words.", examples=["import"]
    )
    total: Count | None = Field(None, description="Number of units to complete.", examples=[1200])
    completed: Count | None = Field(None, description="Number of completed units.", examples=[325])
    advance: Count | None = Field(None, description="Units to add to the stored `completed`.")
    status: GoalStatus | None = Field(None, description="Status of the goal; `in_progress` by default.")
    target_metrics: JsonObject | None = Field(
        None, description="Targets; `quality_target` shows on the stream's card.", examples=[{"quality_target": 0.95}]
    )
    metadata: JsonObject | None = Field(None, description="Further data, stored unchanged.", examples=[{"host": "w3"}])

    @model_validator(mode="after")
    def _one_way_to_count(self) -> "StreamReport":
        if self.completed is not None and self.advance is not None:
            raise ValueError("advance: give either completed or advance, not both")
        return self


class ScanReport(Body):
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
    progress: Annotated[float, Field(strict=True, ge=0, le=100)] | None = Field(
        None, description="Progress in percent."
    )
    targets_identified: Count | None = Field(None, description="Number of targets found.")
    targets_analyzed: Count | None = Field(None, description="Number of targets analyzed.")


class AgentReport(Body):
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


class StreamFinish(Body):
    """Final state of a stream."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "completed"}]})
    status: Literal["completed", "blocked"] | None = Field(None, description="`completed` by default.")
    error: Error | None = None


class ScanFinish(Body):
    """Final state of a scan."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "failed", "error": "No answer in 30 s"}]})
    status: Literal["completed", "failed"] | None = Field(None, description="`completed` by default.")
    error: Error | None = None


class AgentFinish(Body):
    """Final state of an agent's run."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"output_summary": "17 licences found"}]})
    status: Literal["completed", "failed", "cancelled"] | None = Field(None, description="`completed` by default.")
    output_summary: Text | None = Field(None, description="Summary of the output.")
    error: Error | None = None


Recipients = Annotated[
    list[Annotated[str, Field(max_length=320)]],
    Field(min_length=1, max_length=200, description="E-mail addresses of members; all members by default."),
]


class AlertReport(Body):
    """A detected signal; each recipient gets an alert of their own."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"target_name": "requests 2.0", "signal_type": "unusually_large", "signal_strength": 80}]
        }
    )
    target_name: Name = Field(description="Subject of the alert.", examples=["requests 2.0"])
    signal_type: Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_check_not_blank)] = Field(
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
    at: AwareDatetime | None = Field(None, description="Time in ISO 8601 with a UTC offset; now by default.")


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


class BatchOperation(Body):
    """One request within a batch."""

    method: Literal["PUT", "POST"] = Field(examples=["PUT"])
    path: Annotated[str, Field(max_length=200)] = Field(
        description="Path relative to /api/v1.", examples=["/streams/nightly-import"]
    )
    body: Any = Field(None, description="Body of the single request.", examples=[{"advance": 1}])
    idempotency_key: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="Value of the header `Idempotency-Key` of the single request."
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
