"""Runs that programs report: slug, key, heartbeats, and when a silent run counts as unreachable."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime
from sqlmodel import Field, SQLModel

from services.entities.base.row import json_field, timestamp_field

MISSED_HEARTBEATS = 3
"""Heartbeat intervals without a report after which a run counts as unreachable."""
HEARTBEAT_OVERDUE = (
    "(heartbeat_at is not null and now() >= greatest(heartbeat_at, reportable_since) "
    f"+ make_interval(secs => {MISSED_HEARTBEATS} * heartbeat_interval))"
)
"""SQL condition of rows whose deadline of the next heartbeat has passed, if one is expected of them."""


class Reported(SQLModel):
    """Columns of a run that programs report; None where people or other jobs wrote the row.

    `slug` is its address within the organisation: that of its job for the current run, else `job@key`. `number` counts
    the runs of a job; those before this one usually took `usual_seconds`. `attempt` is the current try of the run, and
    `attempts` are the earlier ones: objects of `number`, `status`, `error`, `started_at` and `finished_at`.

    `ingest_key` is the key that reported last. `heartbeat_interval` is the declared time between two reports in
    seconds.
    """

    slug: str | None = None
    job_id: UUID | None = None
    number: int | None = None
    usual_seconds: float | None = None
    attempt: int = 1
    attempt_started_at: AwareDatetime | None = timestamp_field()
    attempts: list[dict[str, Any]] = json_field(list)
    ingest_key: UUID | None = None
    heartbeat_at: AwareDatetime | None = timestamp_field()
    heartbeat_interval: float | None = Field(default=None, ge=1)
    reportable_since: AwareDatetime | None = timestamp_field()
    """Since when programs could report again, after the app had been away."""
    archived_at: AwareDatetime | None = timestamp_field()
    """When a person moved the run out of the lists."""

    @property
    def is_expected(self) -> bool:
        """Whether its status says that a program is working on it now."""
        raise NotImplementedError

    @property
    def heartbeat_timeout(self) -> timedelta | None:
        """Time without a heartbeat before the run counts as unreachable; None if it declared no interval."""
        if self.heartbeat_interval is None:
            return None
        return timedelta(seconds=MISSED_HEARTBEATS * self.heartbeat_interval)

    @property
    def unreachable_at(self) -> datetime | None:
        """Deadline of the next heartbeat; None when none is expected."""
        if self.heartbeat_timeout is None or self.heartbeat_at is None or not self.is_expected:
            return None
        return max(self.heartbeat_at, self.reportable_since or self.heartbeat_at) + self.heartbeat_timeout

    def is_unreachable(self, now: datetime) -> bool:
        """Whether the deadline of the next heartbeat has passed."""
        return self.unreachable_at is not None and now >= self.unreachable_at

    def unreachable_since(self, now: datetime) -> datetime | None:
        """Time of the last heartbeat of an unreachable run; None for any other."""
        return self.heartbeat_at if self.is_unreachable(now) else None
