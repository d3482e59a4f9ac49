"""Streams: goal-driven workstreams."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import model_validator
from sqlalchemy import Float
from sqlmodel import Field

from services.models.base import Row, generated_field, json_field, status_field
from services.models.progress import Progress


class GoalStatus(StrEnum):
    """Where a stream stands with its goal."""

    NOT_STARTED = "not_started"
    IN_PROGRESS = "in_progress"
    ON_TRACK = "on_track"
    AT_RISK = "at_risk"
    BLOCKED = "blocked"
    COMPLETED = "completed"


ACTIVE_GOALS = frozenset({GoalStatus.IN_PROGRESS, GoalStatus.ON_TRACK, GoalStatus.AT_RISK})


class Stream(Row, Progress, table=True):
    """A workstream with a goal of `total` units, of which `completed` are done; `percentage` is 0 to 100."""

    __tablename__ = "streams"

    name: str = Field(min_length=1, max_length=200)
    description: str = ""
    stream_type: str = "general"
    goal_status: GoalStatus = status_field(GoalStatus.NOT_STARTED)
    completed: int = Field(default=0, ge=0)
    total: int = Field(default=0, ge=0)
    percentage: float | None = generated_field("percentage", Float(), ge=0, le=100)
    target_metrics: dict[str, Any] = json_field(dict)
    created_by: UUID | None = None

    @property
    def remaining(self) -> float:
        return self.total - self.completed

    @property
    def is_active(self) -> bool:
        return self.goal_status in ACTIVE_GOALS and (self.remaining > 0 or not self.total)

    @model_validator(mode="before")
    @classmethod
    def _compute_percentage(cls, record: Any) -> Any:
        """As the table's generated column, which logical decoding leaves out."""
        if not isinstance(record, Mapping) or "percentage" in record:
            return record
        completed, total = record.get("completed") or 0, record.get("total") or 0
        return {**record, "percentage": min(100.0, 1000 * completed // total / 10) if total else 0.0}
