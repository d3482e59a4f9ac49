"""Streams: goal-driven workstreams."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, model_validator
from sqlalchemy import Float
from sqlmodel import Field

from services.entities.base import Row, generated_field, json_field, status_field, timestamp_field
from services.entities.progress import Progress
from services.entities.reported import Reported


class GoalStatus(StrEnum):
    """Where a stream stands with its goal."""

    NOT_STARTED = "not_started"
    IN_PROGRESS = "in_progress"
    ON_TRACK = "on_track"
    AT_RISK = "at_risk"
    BLOCKED = "blocked"
    COMPLETED = "completed"


ACTIVE_GOALS = frozenset({GoalStatus.IN_PROGRESS, GoalStatus.ON_TRACK, GoalStatus.AT_RISK})


class Stream(Row, Progress, Reported, table=True):
    """A workstream with a goal of `total` units, of which `completed` are done; `percentage` is 0 to 100.

    `finished_at` is set when it is completed, or when the program that reports it said that it ended, with an `error`
    or without.
    """

    __tablename__ = "streams"

    name: str = Field(min_length=1, max_length=200)
    description: str = ""
    stream_type: str = "general"
    goal_status: GoalStatus = status_field(GoalStatus.NOT_STARTED)
    completed: int = Field(default=0, ge=0)
    total: int = Field(default=0, ge=0)
    percentage: float | None = generated_field("percentage", Float(), ge=0, le=100)
    target_metrics: dict[str, Any] = json_field(dict)
    # `metadata` is SQLAlchemy's name on a model class, so the attribute has another.
    details: dict[str, Any] = json_field(dict, column="metadata")
    error: str | None = None
    finished_at: AwareDatetime | None = timestamp_field()
    created_by: UUID | None = None

    @property
    def remaining(self) -> float:
        return self.total - self.completed

    @property
    def is_active(self) -> bool:
        return self.goal_status in ACTIVE_GOALS and (self.remaining > 0 or not self.total)

    @property
    def is_expected(self) -> bool:
        return self.goal_status in ACTIVE_GOALS and self.finished_at is None

    @model_validator(mode="before")
    @classmethod
    def _compute_percentage(cls, record: Any) -> Any:
        """As the table's generated column, which logical decoding leaves out."""
        if not isinstance(record, Mapping) or "percentage" in record:
            return record
        completed, total = record.get("completed") or 0, record.get("total") or 0
        return {**record, "percentage": min(100.0, 1000 * completed // total / 10) if total else 0.0}
