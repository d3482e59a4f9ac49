"""Agent executions: runs of AI agents that belong to a stream."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, model_validator
from sqlalchemy import ARRAY, Boolean, Text
from sqlmodel import Field

from services.entities.base.entity import Entity, Scope
from services.entities.base.grouping import ARCHIVING, INCIDENTS
from services.entities.base.layout import EmptyState, RowLayout
from services.entities.base.listing import (
    ARCHIVE_FACET,
    NEWEST,
    OVERDUE,
    SLOW,
    TAG_FACET,
    UNREACHABLE,
    Facet,
    ListSpec,
    Sort,
    job_facet,
    options_of,
    running_first,
    status_facet,
)
from services.entities.base.reported import Reported
from services.entities.base.row import Name, Row, generated_field, status_field, timestamp_field
from services.entities.base.status import StyledStatus


class AgentStatus(StyledStatus):
    """What an agent execution is doing."""

    PENDING = "pending", "neutral", "schedule", "Pending"
    RUNNING = "running", "active", "play_circle", "Running", True
    COMPLETED = "completed", "positive", "check_circle", "Completed"
    FAILED = "failed", "critical", "error_outline", "Failed"
    CANCELLED = "cancelled", "neutral", "cancel", "Cancelled"


FINISHED_AGENTS = (AgentStatus.COMPLETED, AgentStatus.FAILED, AgentStatus.CANCELLED)


class AgentExecution(Row, Reported, table=True):
    """One run of one agent; `duration_ms` is set when it ends."""

    __tablename__ = "agent_executions"

    stream_id: UUID
    agent_id: Name
    agent_name: Name
    status: AgentStatus = status_field(AgentStatus.PENDING)
    is_finished: bool | None = generated_field("is_finished", Boolean())
    started_at: AwareDatetime | None = timestamp_field()
    completed_at: AwareDatetime | None = timestamp_field()
    duration_ms: int | None = Field(default=None, ge=0)
    input_summary: str | None = None
    output_summary: str | None = None
    error: str | None = None
    tags: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))

    @property
    def is_expected(self) -> bool:
        return self.status is AgentStatus.RUNNING

    @property
    def summary(self) -> str | None:
        """The most telling of its texts: error, output, input."""
        return self.error or self.output_summary or self.input_summary

    @model_validator(mode="before")
    @classmethod
    def _compute_is_finished(cls, record: Any) -> Any:
        """Compute the table's generated column, which logical decoding leaves out."""
        if not isinstance(record, Mapping) or "is_finished" in record:
            return record
        return {**record, "is_finished": record.get("status") in FINISHED_AGENTS}


AGENTS = Entity(
    table="agent_executions",
    model=AgentExecution,
    scope=Scope.ORG,
    order="created_at desc",
    unfinished_first=True,
    limit=2000,
    label="Agents",
    noun="run",
    statuses=AgentStatus,
    layout=RowLayout(
        title=lambda row: row.agent_name,
        note=lambda row: row.summary,
        status=lambda row: row.status,
        time=lambda row: row.started_at,
    ),
    listing=ListSpec(
        search_text=lambda row: " ".join(
            (row.agent_name, row.agent_id, *row.tags, row.output_summary or "", row.error or "")
        ),
        search_sql="concat_ws(' ', agent_name, agent_id, nullif(array_to_string(tags, ' '), ''), "
        "coalesce(output_summary, ''), coalesce(error, ''))",
        facets=(
            status_facet(lambda row: row.status, *options_of(AgentStatus), UNREACHABLE, OVERDUE, SLOW),
            Facet(
                name="agent",
                label="Agent",
                kind="select",
                values=lambda row: (row.agent_id,),
                label_of=lambda row: row.agent_name,
                label_sql="max(agent_name)",
                column="agent_id",
            ),
            Facet(
                name="stream",
                label="Stream",
                kind="select",
                values=lambda row: (str(row.stream_id),),
                label_sql="(select name from public.streams where id = stream_id)",
                column="stream_id",
            ),
            job_facet(lambda row: row.agent_name, "agent_name"),
            TAG_FACET,
            ARCHIVE_FACET,
        ),
        sorts=(
            running_first(lambda row: not row.is_finished, "not is_finished"),
            NEWEST,
            Sort(
                name="longest",
                label="Longest first",
                key=lambda row: -float(row.duration_ms or 0),
                sql="coalesce(duration_ms, 0)::float8",
                type="float8",
            ),
        ),
        ended="completed_at",
    ),
    empty=EmptyState(
        icon="smart_toy",
        text="No agent runs yet. Runs appear here the moment they start.",
        offers_connect=True,
    ),
    tab="/agents",
    skeletons=6,
    grouping={"status": "status", **ARCHIVING, **INCIDENTS},
)
