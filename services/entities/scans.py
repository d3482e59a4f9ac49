"""Acquisition scans: multi-step searches for targets."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime
from sqlmodel import Field

from services.entities.base import Row, json_field, status_field, timestamp_field
from services.entities.progress import Progress
from services.entities.reported import Reported


class ScanStatus(StrEnum):
    """What a scan is doing."""

    CONFIGURING = "configuring"
    SCANNING = "scanning"
    ANALYZING = "analyzing"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"


ACTIVE_SCANS = frozenset({ScanStatus.SCANNING, ScanStatus.ANALYZING})


class AcquisitionScan(Row, Progress, Reported, table=True):
    """A search in steps; `steps` holds their names in order, `progress_percentage` is 0 to 100."""

    __tablename__ = "acquisition_scans"

    stream_id: UUID | None = None
    name: str = Field(min_length=1, max_length=200)
    status: ScanStatus = status_field(ScanStatus.CONFIGURING)
    current_step: str | None = None
    steps: list[Any] = json_field(list)
    progress_percentage: float = Field(default=0, ge=0, le=100)
    targets_identified: int = Field(default=0, ge=0)
    targets_analyzed: int = Field(default=0, ge=0)
    started_at: AwareDatetime | None = timestamp_field()
    completed_at: AwareDatetime | None = timestamp_field()
    error: str | None = None

    @property
    def remaining(self) -> float:
        return 100 - self.progress_percentage

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE_SCANS

    @property
    def is_expected(self) -> bool:
        return self.status in ACTIVE_SCANS
