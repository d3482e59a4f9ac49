"""Agent executions: runs of AI agents that belong to a stream."""

from enum import StrEnum
from uuid import UUID

from pydantic import AwareDatetime
from sqlmodel import Field

from services.entities.base import Row, status_field, timestamp_field
from services.entities.reported import Reported


class AgentStatus(StrEnum):
    """What a run of an agent is doing."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class AgentExecution(Row, Reported, table=True):
    """One run of one agent; `duration_ms` is set when it ends."""

    __tablename__ = "agent_executions"

    stream_id: UUID
    agent_id: str = Field(min_length=1, max_length=200)
    agent_name: str = Field(min_length=1, max_length=200)
    status: AgentStatus = status_field(AgentStatus.PENDING)
    started_at: AwareDatetime | None = timestamp_field()
    completed_at: AwareDatetime | None = timestamp_field()
    duration_ms: int | None = Field(default=None, ge=0)
    input_summary: str | None = None
    output_summary: str | None = None
    error: str | None = None

    @property
    def is_expected(self) -> bool:
        return self.status is AgentStatus.RUNNING
