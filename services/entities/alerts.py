"""Signal alerts: something was detected, with a strength and a priority."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, model_validator
from sqlalchemy import String
from sqlmodel import Field

from services.entities.base import Row, generated_field, json_field, status_field, timestamp_field


class Priority(StrEnum):
    """How much an alert matters: 90 and above urgent, 75 high, 50 medium, less low."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    URGENT = "urgent"


class AlertStatus(StrEnum):
    """What its recipient did with an alert."""

    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    DISMISSED = "dismissed"


class SignalAlert(Row, table=True):
    """One detection for one recipient, `user_id`; `signal_strength` is 0 to 100 and decides the priority."""

    __tablename__ = "signal_alerts"

    user_id: UUID
    stream_id: UUID | None = None
    company_name: str | None = None
    target_name: str = Field(min_length=1, max_length=200)
    signal_type: str = Field(min_length=1, max_length=80)
    signal_strength: int = Field(ge=0, le=100)
    priority: Priority | None = generated_field("priority", String())
    status: AlertStatus = status_field(AlertStatus.NEW)
    read_at: AwareDatetime | None = timestamp_field()
    # `metadata` is SQLAlchemy's name on a model class, so the attribute has another.
    details: dict[str, Any] = json_field(dict, column="metadata")
    detected_at: AwareDatetime | None = timestamp_field(lambda: datetime.now(UTC))

    @property
    def is_unread(self) -> bool:
        """Whether it waits for its recipient, who has neither read it nor acted upon it."""
        return self.read_at is None and self.status is AlertStatus.NEW

    @model_validator(mode="before")
    @classmethod
    def _compute_priority(cls, record: Any) -> Any:
        """As the table's generated column, which logical decoding leaves out."""
        if (
            not isinstance(record, Mapping)
            or "priority" in record
            or not isinstance(record.get("signal_strength"), int)
        ):
            return record
        return {**record, "priority": priority_of(record["signal_strength"])}


def priority_of(strength: int) -> Priority:
    """The priority of a signal's strength."""
    for least, priority in ((90, Priority.URGENT), (75, Priority.HIGH), (50, Priority.MEDIUM)):
        if strength >= least:
            return priority
    return Priority.LOW
