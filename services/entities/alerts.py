"""Signal alerts: something was detected, with a strength and a priority."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, model_validator
from sqlalchemy import String
from sqlmodel import Field

from services.entities.base.entity import Entity, Scope
from services.entities.base.grouping import MARKING
from services.entities.base.layout import EmptyState, RowLayout
from services.entities.base.listing import UNREAD, UNREAD_FACET, Facet, ListSpec, Sort, at, options_of
from services.entities.base.row import Name, Row, generated_field, has_length, json_field, status_field, timestamp_field
from services.entities.base.status import StyledStatus


class Priority(StyledStatus):
    """How much an alert matters: urgent from a strength of 90 on, high from 75, medium from 50, else low."""

    LOW = "low", "neutral", "south", "Low"
    MEDIUM = "medium", "active", "remove", "Medium"
    HIGH = "high", "caution", "north", "High"
    URGENT = "urgent", "critical", "priority_high", "Urgent"


class AlertStatus(StyledStatus):
    """What its recipient did with an alert."""

    NEW = "new", "active", "fiber_new", "New"
    ACKNOWLEDGED = "acknowledged", "neutral", "done", "Acknowledged"
    DISMISSED = "dismissed", "neutral", "close", "Dismissed"


class SignalAlert(Row, table=True):
    """One detection for one recipient, `user_id`; `signal_strength` is 0 to 100 and decides the priority.

    The rows of several recipients of the same alert have one `event_id`. `sent_by` is the key that sent it,
    on one of them.
    """

    __tablename__ = "signal_alerts"

    user_id: UUID
    event_id: UUID | None = None
    sent_by: UUID | None = None
    stream_id: UUID | None = None
    company_name: str | None = None
    target_name: Name
    signal_type: Annotated[str, has_length(80)]
    signal_strength: int = Field(ge=0, le=100)
    priority: Priority | None = generated_field("priority", String())
    status: AlertStatus = status_field(AlertStatus.NEW)
    read_at: AwareDatetime | None = timestamp_field()
    # `metadata` is SQLAlchemy's name on a model class, so the attribute has another.
    details: dict[str, Any] = json_field(dict, column="metadata")
    detected_at: AwareDatetime | None = timestamp_field(lambda: datetime.now(UTC))

    @property
    def is_unread(self) -> bool:
        """Whether its recipient has neither read it nor acted on it."""
        return self.read_at is None and self.status is AlertStatus.NEW

    @property
    def discussed_id(self) -> UUID:
        """See `Row`."""
        return self.event_id or self.id

    @model_validator(mode="before")
    @classmethod
    def _compute_priority(cls, record: Any) -> Any:
        """Compute the table's generated column, which logical decoding leaves out."""
        if (
            not isinstance(record, Mapping)
            or "priority" in record
            or not isinstance(record.get("signal_strength"), int)
        ):
            return record
        return {**record, "priority": priority_of(record["signal_strength"])}


def priority_of(strength: int) -> Priority:
    """The priority of a signal strength from 0 to 100."""
    for minimum, priority in ((90, Priority.URGENT), (75, Priority.HIGH), (50, Priority.MEDIUM)):
        if strength >= minimum:
            return priority
    return Priority.LOW


def latest_detected(row: SignalAlert) -> float:
    """Sort key: detection, latest first."""
    return at(row.detected_at)


ALERTS = Entity(
    table="signal_alerts",
    model=SignalAlert,
    scope=Scope.USER,
    order="detected_at desc",
    limit=2000,
    label="Alerts",
    noun="alert",
    statuses=Priority,
    layout=RowLayout(
        title=lambda row: row.target_name,
        note=lambda row: row.company_name,
        status=lambda row: row.priority,
        time=lambda row: row.detected_at or row.created_at,
    ),
    listing=ListSpec(
        search_text=lambda row: f"{row.target_name} {row.company_name or ''} {row.signal_type.replace('_', ' ')}",
        search_sql="concat_ws(' ', target_name, coalesce(company_name, ''), replace(signal_type, '_', ' '))",
        facets=(
            Facet(
                name=UNREAD_FACET,
                label="Read",
                values=lambda row: (UNREAD.value,) if row.is_unread else (),
                options=(UNREAD,),
                conditions={UNREAD.value: "(read_at is null and status = 'new')"},
                is_personal=True,
            ),
            Facet(
                name="priority",
                label="Priority",
                values=lambda row: (row.priority.value,) if row.priority else (),
                options=tuple(reversed(options_of(Priority))),
                column="priority",
            ),
        ),
        time="detected_at",
        sorts=(
            Sort(name="newest", label="Newest first", key=latest_detected, sql="detected_at", since=at),
            Sort(
                name="strength",
                label="Strongest first",
                key=lambda row: -float(row.signal_strength),
                sql="signal_strength::float8",
                type="float8",
            ),
        ),
    ),
    empty=EmptyState(icon="notifications_none", text="No alerts. When something is detected for you, it appears here."),
    tab="/alerts",
    page="/alerts",
    skeletons=5,
    grouping={"org_id": "org_id", "status": "status", "priority": "priority", **MARKING},
)
