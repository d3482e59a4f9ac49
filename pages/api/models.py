"""What the ingest API takes and answers, as pydantic models: validation, descriptions and examples in one place."""

import json
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    WithJsonSchema,
    model_validator,
)

from services.entities import AgentStatus, GoalStatus, NotificationType, Priority, ScanStatus
from services.entities.alerts import priority_of
from services.ingest import KeyScope

MOST = 2**53
MAX_LINES = 500
MAX_OPERATIONS = 500
MAX_RUNS = 500
MAX_JSON = 16_000
SLUG = r"^[A-Za-z0-9._:-]{1,120}$"
RUN = r"^(streams|scans|agents)/[A-Za-z0-9._:-]{1,120}$"


def _is_told(value: str) -> str:
    if not value.strip():
        raise ValueError("it must not be blank")
    return value


def _is_small(value: dict[str, Any]) -> dict[str, Any]:
    size = len(json.dumps(value, separators=(",", ":")))
    if size > MAX_JSON:
        raise ValueError(f"it has {size:,} characters as JSON; at most {MAX_JSON:,} are taken")
    return value


Slug = Annotated[str, Field(pattern=SLUG, examples=["nightly-import"])]
RunPath = Annotated[str, Field(pattern=RUN, examples=["streams/nightly-import"])]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_is_told)]
Count = Annotated[int, Field(strict=True, ge=0, le=MOST)]
Text = Annotated[str, Field(max_length=4000)]
Error = Annotated[str, Field(max_length=8000, description="Why it failed.")]
JsonObject = Annotated[dict[str, Any], AfterValidator(_is_small)]


class Body(BaseModel):
    """A body of a request; an unknown field is an error, since it is most likely misspelt."""

    model_config = ConfigDict(extra="forbid")


class StreamReport(Body):
    """A stream as it is now; what is left out stays as it was."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Nightly import", "total": 1200, "advance": 25}]}
    )
    name: Name | None = Field(None, description="What people see; the slug at first.", examples=["Nightly import"])
    description: Text | None = Field(None, description="What it is for.")
    stream_type: Annotated[str, Field(min_length=1, max_length=60), AfterValidator(_is_told)] | None = Field(
        None, description="Its kind, in a word or two.", examples=["import"]
    )
    total: Count | None = Field(None, description="The units of its goal.", examples=[1200])
    completed: Count | None = Field(None, description="The units done so far.", examples=[325])
    advance: Count | None = Field(None, description="Units to add to `completed`, where they are as they were.")
    status: GoalStatus | None = Field(None, description="Where it stands; `in_progress` at first.")
    target_metrics: JsonObject | None = Field(
        None, description="What it aims at; `quality_target` shows on its card.", examples=[{"quality_target": 0.95}]
    )
    metadata: JsonObject | None = Field(None, description="Anything else, kept as it is.", examples=[{"host": "w3"}])

    @model_validator(mode="after")
    def _one_way_to_count(self) -> "StreamReport":
        if self.completed is not None and self.advance is not None:
            raise ValueError("advance: give either completed or advance, not both")
        return self


class ScanReport(Body):
    """A scan as it is now; what is left out stays as it was."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"steps": ["find", "read", "rank"], "step": "read", "progress": 40}]}
    )
    name: Name | None = Field(None, description="What people see; the slug at first.")
    stream: Slug | None = Field(None, description="The slug of the stream it belongs to, created if unknown.")
    status: ScanStatus | None = Field(None, description="`scanning` at first.")
    steps: list[Annotated[str, Field(min_length=1, max_length=200)]] | None = Field(
        None, max_length=100, description="The names of its steps, in order.", examples=[["find", "read", "rank"]]
    )
    step: Annotated[str, Field(max_length=200)] | None = Field(None, description="The step it is at.")
    progress: Annotated[float, Field(strict=True, ge=0, le=100)] | None = Field(None, description="Percent done.")
    targets_identified: Count | None = Field(None, description="Targets found.")
    targets_analyzed: Count | None = Field(None, description="Targets done.")


class AgentReport(Body):
    """A run of an agent as it is now; what is left out stays as it was."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"agent_name": "Reader", "stream": "nightly-import", "status": "running"}]}
    )
    agent_id: Name | None = Field(None, description="What is the same for all runs of one agent; its name at first.")
    agent_name: Name | None = Field(None, description="What people see; the slug at first.")
    stream: Slug | None = Field(
        None, description='The slug of the stream it works on, created if unknown; "default" when never given.'
    )
    status: AgentStatus | None = Field(None, description="`running` at first.")
    input_summary: Text | None = Field(None, description="What it was given, in short.")
    output_summary: Text | None = Field(None, description="What it made of it, in short.")


class StreamFinish(Body):
    """The end of a stream."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "completed"}]})
    status: Literal["completed", "blocked"] | None = Field(None, description="`completed` by default.")
    error: Error | None = None


class ScanFinish(Body):
    """The end of a scan."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "failed", "error": "No answer in 30 s"}]})
    status: Literal["completed", "failed"] | None = Field(None, description="`completed` by default.")
    error: Error | None = None


class AgentFinish(Body):
    """The end of an agent's run."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"output_summary": "17 licences found"}]})
    status: Literal["completed", "failed", "cancelled"] | None = Field(None, description="`completed` by default.")
    output_summary: Text | None = Field(None, description="What came of it, in short.")
    error: Error | None = None


Recipients = Annotated[
    list[Annotated[str, Field(max_length=320)]],
    Field(min_length=1, max_length=200, description="E-mails of members; all members by default."),
]


class AlertReport(Body):
    """Something was detected; each recipient gets an alert of their own."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"target_name": "requests 2.0", "signal_type": "unusually_large", "signal_strength": 80}]
        }
    )
    target_name: Name = Field(description="What it is about.", examples=["requests 2.0"])
    signal_type: Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_is_told)] = Field(
        description="What was detected.", examples=["unusually_large"]
    )
    signal_strength: Annotated[int, Field(strict=True, ge=0, le=100)] = Field(
        description="0 to 100; from 90 on it is urgent, from 75 high, from 50 medium."
    )
    priority: Priority | None = Field(
        None, description="Follows from `signal_strength`; where it is given, it must fit that."
    )
    company_name: Annotated[str, Field(max_length=200)] | None = Field(None, description="Whose target it is.")
    stream: Slug | None = Field(None, description="The slug of the stream that it came up in.")
    metadata: JsonObject | None = Field(None, description="Anything else, kept as it is.")
    to: Recipients | None = None

    @model_validator(mode="after")
    def _fits(self) -> "AlertReport":
        if self.priority is not None and self.priority != (fits := priority_of(self.signal_strength)):
            raise ValueError(
                f"priority: {self.priority.value!r} does not fit a signal_strength of {self.signal_strength}, which is "
                f"{fits.value!r}; leave it out"
            )
        return self


class NotificationReport(Body):
    """A message; each recipient gets their own."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"title": "The import has ended", "type": "success"}]})
    title: Name = Field(description="One line.", examples=["The import has ended"])
    message: Text | None = Field(None, description="More lines.")
    type: NotificationType | None = Field(None, description="Its tone; `info` by default.")
    action_url: Annotated[str, Field(max_length=2000, pattern=r"^(/|https?://)")] | None = Field(
        None, description="Where its title leads: a path of Livewatch or a web address."
    )
    to: Recipients | None = None


class LogLine(Body):
    """One line of a log."""

    message: Annotated[str, Field(max_length=2000)] = Field(description="At most 2,000 characters.")
    level: Literal["debug", "info", "warning", "error", "critical"] | None = Field(
        None, description="`info` by default."
    )
    at: AwareDatetime | None = Field(None, description="When, in ISO 8601 with an offset; now by default.")


class LogReport(Body):
    """Lines of a run's log, oldest first; they may come after its finish."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"run": "streams/nightly-import", "lines": [{"message": "Page 3 of 40"}]}]}
    )
    run: RunPath = Field(description="Whose log: the path of a run.")
    lines: list[LogLine] = Field(min_length=1, max_length=MAX_LINES, description="At most 500 lines.")


class HeartbeatReport(Body):
    """These runs live. Every other write of a run says so too."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"runs": ["streams/nightly-import"], "interval": 15}]})
    runs: list[RunPath] = Field(min_length=1, max_length=MAX_RUNS, description="The paths of runs.")
    interval: Annotated[float, Field(strict=True, ge=1, le=86_400)] | None = Field(
        None,
        description="Seconds until the next one, 15 by default. A run that is silent for three of them while its "
        "status says that it works shows as unreachable, until its next report.",
    )


class BatchOperation(Body):
    """One request within a batch."""

    method: Literal["PUT", "POST"] = Field(examples=["PUT"])
    path: Annotated[str, Field(max_length=200)] = Field(
        description="Relative to /api/v1.", examples=["/streams/nightly-import"]
    )
    body: Any = Field(None, description="As the body of that request.", examples=[{"advance": 1}])
    idempotency_key: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="As the header `Idempotency-Key` of that request."
    )


class Batch(Body):
    """Requests in their order, in one transaction, each in a savepoint: one that fails leaves the others alone."""

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
        description="At most 500. An invalid operation is refused by itself.",
    )


class Written(BaseModel):
    """What was written: 201 when it is new, 200 when it was there. A repetition is answered as the first."""

    id: UUID | None = Field(description="The row's id; of the first where there are several.")
    slug: str | None = Field(description="The run's slug, where it is one.")
    created: StrictBool = Field(description="Whether it is new.")
    url: str = Field(description="Where people see it: a path of Livewatch.", examples=["/streams/6f1c…"])


class Sent(Written):
    """What was sent to members."""

    ids: list[UUID] = Field(description="One for each recipient.")


class Logged(Written):
    """What was added to a log."""

    lines: int = Field(description="How many lines.")


class Beaten(BaseModel):
    """Which runs live, by path."""

    alive: list[str] = Field(description="Those whose life was noted.")
    finished: list[str] = Field(description="Those that have ended, and stay so.")
    unknown: list[str] = Field(description="Those that were never reported.")


class BatchResult(BaseModel):
    """The answer to one operation."""

    status: int
    body: dict[str, Any]


class BatchAnswer(BaseModel):
    """The answers, in the order of the operations."""

    results: list[BatchResult]


class Named(BaseModel):
    """Something with a name."""

    id: UUID
    name: str


class Me(BaseModel):
    """What a key is good for."""

    organization: Named
    key: Named
    scopes: list[KeyScope]
    url: str = Field(description="The public address of this Livewatch.", examples=["https://livewatch.example.org"])


class Problem(BaseModel):
    """Why a request was not done."""

    code: str = Field(examples=["invalid"])
    message: str = Field(description="One sentence that says what to do.")
    field: str | None = Field(None, description="What of the body is wrong.")


class Failure(BaseModel):
    """The answer to a request that was not done."""

    error: Problem
