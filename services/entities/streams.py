"""Streams: goal-driven workstreams."""

import math
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, model_validator
from sqlalchemy import ARRAY, Boolean, Float, Text
from sqlmodel import Field

from services.entities.base.entity import Entity, Scope
from services.entities.base.grouping import ARCHIVING, INCIDENTS, LONG_AGO
from services.entities.base.layout import EmptyState, RowLayout
from services.entities.base.listing import (
    ARCHIVE_FACET,
    LAST_UPDATED,
    NEWEST,
    OVERDUE,
    SLOW,
    STALLED,
    TAG_FACET,
    UNREACHABLE,
    ListSpec,
    Sort,
    by_estimate,
    by_name,
    job_facet,
    options_of,
    running_first,
    status_facet,
)
from services.entities.base.progress import ESTIMATE, Amount, Progress, amount_field
from services.entities.base.reported import Reported
from services.entities.base.row import Name, Row, generated_field, json_field, status_field, timestamp_field
from services.entities.base.status import StyledStatus


class GoalStatus(StyledStatus):
    """Where a stream stands with its goal."""

    NOT_STARTED = "not_started", "neutral", "radio_button_unchecked", "Not started"
    IN_PROGRESS = "in_progress", "active", "play_circle", "In progress", True
    ON_TRACK = "on_track", "positive", "trending_up", "On track", True
    AT_RISK = "at_risk", "caution", "warning_amber", "At risk", True
    BLOCKED = "blocked", "critical", "block", "Blocked"
    COMPLETED = "completed", "positive", "check_circle", "Completed"
    STOPPED = "stopped", "neutral", "stop_circle", "Stopped"
    CANCELLED = "cancelled", "neutral", "cancel", "Cancelled"


FINISHED_GOALS = (GoalStatus.COMPLETED, GoalStatus.STOPPED, GoalStatus.CANCELLED)
"""Statuses that end a stream by themselves; a program ends one as blocked when it says so."""
ACTIVE_GOALS = frozenset({GoalStatus.IN_PROGRESS, GoalStatus.ON_TRACK, GoalStatus.AT_RISK})
_IN_PROGRESS = f"goal_status in ({', '.join(repr(status.value) for status in sorted(ACTIVE_GOALS))})"
_EXPECTED = f"({_IN_PROGRESS} and not is_finished)"
_ACTIVE = f"({_IN_PROGRESS} and (total = 0 or completed < total))"
_DONE_AT = (
    f"(case when total = 0 and usual_seconds is not null then case when {_ACTIVE} "
    "then extract(epoch from coalesce(attempt_started_at, created_at))::float8 + usual_seconds end "
    f"else {ESTIMATE.format(active=_ACTIVE, remaining='(total - completed)')} end)"
)


class Stream(Row, Progress, Reported, table=True):
    """A workstream with a goal of `total` units, of which `completed` are done; `percentage` is 0 to 100.

    `unit` names the units; amounts in "B" are bytes. `bars` are the bars and loops of the program, at most 50, as
    `Bar` describes them; `bar_count` counts also those that are no longer among them.

    `program` is the process that started the stream, by an identifier of its own.

    `finished_at` is set when the stream is completed, or when the program that reports it said that it ended, with an
    `error` or without.
    """

    __tablename__ = "streams"

    name: Name
    description: str = ""
    stream_type: str = "general"
    goal_status: GoalStatus = status_field(GoalStatus.NOT_STARTED)
    completed: Amount = amount_field()
    total: Amount = amount_field()
    unit: str | None = None
    bars: list[dict[str, Any]] = json_field(list)
    bar_count: int = Field(default=0, ge=0)
    percentage: float | None = generated_field("percentage", Float(), ge=0, le=100)
    target_metrics: dict[str, Any] = json_field(dict)
    # `metadata` is SQLAlchemy's name on a model class, so the attribute has another.
    details: dict[str, Any] = json_field(dict, column="metadata")
    error: str | None = None
    finished_at: AwareDatetime | None = timestamp_field()
    is_finished: bool | None = generated_field("is_finished", Boolean())
    program: str | None = None
    created_by: UUID | None = None
    owner_id: UUID | None = None
    tags: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))
    due_on: date | None = None

    @property
    def remaining(self) -> float:
        return self.total - self.completed

    @property
    def done_at(self) -> datetime | None:
        """Estimated time of completion: at the current rate, or without a total by how long its job usually takes."""
        began = self.attempt_started_at or self.created_at
        if self.total or self.usual_seconds is None or began is None or not self.is_active:
            return super().done_at
        return began + timedelta(seconds=self.usual_seconds)

    @property
    def is_active(self) -> bool:
        return self.goal_status in ACTIVE_GOALS and (self.remaining > 0 or not self.total)

    @property
    def is_expected(self) -> bool:
        return self.goal_status in ACTIVE_GOALS and not self.is_finished

    @property
    def settled_program(self) -> str | None:
        """Its program, once the stream has ended without an error; None while it may need attention."""
        is_settled = self.is_finished and not self.error and self.goal_status in FINISHED_GOALS
        return self.program if is_settled else None

    @model_validator(mode="before")
    @classmethod
    def _compute_generated_columns(cls, record: Any) -> Any:
        """Compute the table's generated columns, which logical decoding leaves out."""
        if not isinstance(record, Mapping) or "percentage" in record:
            return record
        completed, total = record.get("completed") or 0, record.get("total") or 0
        return {
            **record,
            "percentage": percentage(completed, total),
            "is_finished": record.get("finished_at") is not None,
        }


def percentage(completed: float, total: float) -> float:
    """Return per cent done in tenths, as the database computes it: only what is complete is 100."""
    if total <= 0:
        return 0.0
    if completed >= total:
        return 100.0
    return min(99.9, math.floor(1000.0 * completed / total + 1e-9) / 10)


STREAMS = Entity(
    table="streams",
    model=Stream,
    scope=Scope.ORG,
    order="updated_at desc",
    unfinished_first=True,
    limit=5000,
    label="Streams",
    noun="stream",
    statuses=GoalStatus,
    layout=RowLayout(
        title=lambda row: row.name,
        note=lambda row: row.description,
        status=lambda row: row.goal_status,
        progress=lambda row: row.percentage,
        time=lambda row: row.updated_at,
    ),
    listing=ListSpec(
        search_text=lambda row: " ".join((row.name, row.stream_type, *row.tags, row.description)),
        search_sql="concat_ws(' ', name, stream_type, nullif(array_to_string(tags, ' '), ''), description)",
        facets=(
            status_facet(
                lambda row: row.goal_status,
                *options_of(GoalStatus),
                STALLED,
                UNREACHABLE,
                OVERDUE,
                SLOW,
                column="goal_status",
            ),
            job_facet(lambda row: row.name, "name"),
            TAG_FACET,
            ARCHIVE_FACET,
        ),
        sorts=(
            running_first(lambda row: row.is_expected, _EXPECTED),
            NEWEST,
            LAST_UPDATED,
            Sort(
                name="progress",
                label="Most progress",
                key=lambda row: -(row.percentage or 0.0),
                sql="coalesce(percentage, 0)::float8",
                type="float8",
                is_volatile=True,
            ),
            by_estimate(_DONE_AT),
            by_name(lambda row: row.name),
        ),
        fold=lambda row: row.settled_program,
        ended="finished_at",
    ),
    empty=EmptyState(
        icon="stacked_line_chart",
        text="No streams yet. Start a job that reports its progress, and it appears here at once.",
        offers_connect=True,
    ),
    tab="/",
    row_page="/streams/{id}",
    has_details=False,
    skeletons=6,
    grouping={
        "goal_status": "goal_status",
        "finished_at": f"case when is_finished then {LONG_AGO} end",
        **ARCHIVING,
        **INCIDENTS,
    },
)
