"""Acquisition scans: multi-step searches for targets."""

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
from services.entities.base.progress import ESTIMATE, Progress
from services.entities.base.reported import Reported
from services.entities.base.row import Name, Row, generated_field, json_field, status_field, timestamp_field
from services.entities.base.status import StyledStatus


class ScanStatus(StyledStatus):
    """What a scan is doing."""

    CONFIGURING = "configuring", "neutral", "tune", "Configuring"
    SCANNING = "scanning", "active", "radar", "Scanning", True
    ANALYZING = "analyzing", "active", "query_stats", "Analysing", True
    PAUSED = "paused", "caution", "pause_circle", "Paused"
    COMPLETED = "completed", "positive", "check_circle", "Completed"
    FAILED = "failed", "critical", "error_outline", "Failed"
    STOPPED = "stopped", "neutral", "stop_circle", "Stopped"
    CANCELLED = "cancelled", "neutral", "cancel", "Cancelled"


ACTIVE_SCANS = frozenset({ScanStatus.SCANNING, ScanStatus.ANALYZING})
_ACTIVE = f"(status in ({', '.join(repr(status.value) for status in sorted(ACTIVE_SCANS))}))"
FINISHED_SCANS = (ScanStatus.COMPLETED, ScanStatus.FAILED, ScanStatus.STOPPED, ScanStatus.CANCELLED)


class AcquisitionScan(Row, Progress, Reported, table=True):
    """A search in steps; `steps` holds their names in order, `progress_percentage` is 0 to 100."""

    __tablename__ = "acquisition_scans"

    stream_id: UUID | None = None
    name: Name
    status: ScanStatus = status_field(ScanStatus.CONFIGURING)
    is_finished: bool | None = generated_field("is_finished", Boolean())
    current_step: str | None = None
    steps: list[Any] = json_field(list)
    progress_percentage: float = Field(default=0, ge=0, le=100)
    targets_identified: int = Field(default=0, ge=0)
    targets_analyzed: int = Field(default=0, ge=0)
    started_at: AwareDatetime | None = timestamp_field()
    completed_at: AwareDatetime | None = timestamp_field()
    error: str | None = None
    tags: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))

    @property
    def remaining(self) -> float:
        return 100 - self.progress_percentage

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE_SCANS

    @property
    def is_expected(self) -> bool:
        return self.status in ACTIVE_SCANS

    @model_validator(mode="before")
    @classmethod
    def _compute_is_finished(cls, record: Any) -> Any:
        """Compute the table's generated column, which logical decoding leaves out."""
        if not isinstance(record, Mapping) or "is_finished" in record:
            return record
        return {**record, "is_finished": record.get("status") in FINISHED_SCANS}


SCANS = Entity(
    table="acquisition_scans",
    model=AcquisitionScan,
    scope=Scope.ORG,
    order="updated_at desc",
    unfinished_first=True,
    limit=1000,
    label="Scans",
    noun="scan",
    statuses=ScanStatus,
    layout=RowLayout(
        title=lambda row: row.name,
        note=lambda row: row.current_step,
        status=lambda row: row.status,
        progress=lambda row: row.progress_percentage,
        time=lambda row: row.updated_at,
    ),
    listing=ListSpec(
        search_text=lambda row: " ".join((row.name, *row.tags, row.current_step or "", row.error or "")),
        search_sql="concat_ws(' ', name, nullif(array_to_string(tags, ' '), ''), "
        "coalesce(current_step, ''), coalesce(error, ''))",
        facets=(
            status_facet(
                lambda row: row.status,
                *options_of(ScanStatus),
                STALLED,
                UNREACHABLE,
                OVERDUE,
                SLOW,
            ),
            job_facet(lambda row: row.name, "name"),
            TAG_FACET,
            ARCHIVE_FACET,
        ),
        sorts=(
            running_first(lambda row: row.is_expected, _ACTIVE),
            NEWEST,
            LAST_UPDATED,
            Sort(
                name="progress",
                label="Most progress",
                key=lambda row: -row.progress_percentage,
                sql="progress_percentage::float8",
                type="float8",
                is_volatile=True,
            ),
            by_estimate(ESTIMATE.format(active=_ACTIVE, remaining="(100 - progress_percentage)")),
            by_name(lambda row: row.name),
        ),
        ended="completed_at",
    ),
    empty=EmptyState(
        icon="radar",
        text="No scans yet. Start an acquisition scan and watch its steps here.",
        offers_connect=True,
    ),
    tab="/scans",
    grouping={"status": "status", **ARCHIVING, **INCIDENTS},
)
