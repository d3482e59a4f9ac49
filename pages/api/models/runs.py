"""Request models of runs: reports, ends, and what people and commands do to them."""

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from pages.api.fields import (
    MAX_BARS,
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
    Reporter,
    Slug,
    Tags,
    Text,
    Unit,
    check_not_blank,
)
from pages.api.models.bodies import Body, RunBody
from pages.api.models.schedules import ScheduleReport
from services.entities import AgentStatus, GoalStatus, ScanStatus
from services.reading import MAX_NOTE, HandlingByKey


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
    elapsed: Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)] | None = Field(
        None,
        description="Seconds that it took by the program's own measure: a beginning that was dated too late, since its "
        "report was long on its way, is corrected by it, by a minute at the most.",
        examples=[12.5],
    )


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
