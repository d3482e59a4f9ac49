"""How fast something progresses, when it will be done, and when its silence means that it has stalled."""

from datetime import datetime, timedelta
from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import DateTime
from sqlmodel import Field, SQLModel

from services.entities.base import timestamp_field

# A rate that rests on less is a guess.
MIN_RATE_WINDOW_SECONDS = 1.0
# Silence of this many usual intervals, and of this time at least, is a stall.
STALL_INTERVALS = 6
MIN_STALL_TIMEOUT = timedelta(seconds=30)


class Progress(SQLModel):
    """The columns that the database keeps about progress; nobody else writes them.

    `rate` is in units per second over the last `rate_window` seconds or so, older ones weighed down exponentially;
    `progress_interval` is the usual time between two steps, in seconds. A stream's unit is one of `completed`, a
    scan's a percentage point.
    """

    last_progress_at: AwareDatetime | None = timestamp_field()
    rate: float | None = None
    rate_window: float | None = None
    progress_interval: float | None = None

    @property
    def remaining(self) -> float:
        """The units still to do."""
        raise NotImplementedError

    @property
    def is_active(self) -> bool:
        """Whether progress is to be expected now."""
        raise NotImplementedError

    @property
    def speed(self) -> float | None:
        """The rate, where it rests on enough."""
        return self.rate if self.rate and (self.rate_window or 0) >= MIN_RATE_WINDOW_SECONDS else None

    @property
    def done_at(self) -> datetime | None:
        """When it will be done at the present rate; None when that is not known or no longer a question."""
        if not self.is_active or self.remaining <= 0 or not self.speed or not self.last_progress_at:
            return None
        try:
            return self.last_progress_at + timedelta(seconds=self.remaining / self.speed)
        except OverflowError:
            return None

    @property
    def stalls_at(self) -> datetime | None:
        """From when on, without progress until then, it counts as stalled; None when no progress is expected."""
        if not self.is_active or not self.last_progress_at:
            return None
        timeout = max(MIN_STALL_TIMEOUT, timedelta(seconds=STALL_INTERVALS * (self.progress_interval or 0)))
        return self.last_progress_at + timeout

    def is_stalled(self, now: datetime) -> bool:
        """Whether progress has stopped for much longer than usual."""
        return self.stalls_at is not None and now >= self.stalls_at


class ProgressPoint(SQLModel, table=True):
    """What of a stream or a scan was done at a time; `done` of `whole` units."""

    __tablename__ = "progress_points"

    subject_id: UUID = Field(primary_key=True)
    at: AwareDatetime = Field(primary_key=True, sa_type=DateTime(timezone=True))
    org_id: UUID
    done: float
    whole: float
