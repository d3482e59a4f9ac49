"""What programs report of a run over the ingest API, and when their silence means that they cannot be reached."""

from datetime import datetime, timedelta
from uuid import UUID

from pydantic import AwareDatetime
from sqlmodel import Field, SQLModel

from services.entities.base import timestamp_field

# Silence of this many intervals is more than a report that came late.
MISSED_HEARTBEATS = 3


class Reported(SQLModel):
    """The columns of a run that programs report: None where people or other jobs wrote it.

    `slug` names it within its organisation, `ingest_key` is the key that reported last. A run that said how often it
    reports, `heartbeat_interval` seconds, counts as unreachable when it runs and has been silent for three of these.
    """

    slug: str | None = None
    ingest_key: UUID | None = None
    heartbeat_at: AwareDatetime | None = timestamp_field()
    heartbeat_interval: float | None = Field(default=None, ge=1)

    @property
    def is_expected(self) -> bool:
        """Whether its status says that somebody works on it now."""
        raise NotImplementedError

    @property
    def heartbeat_timeout(self) -> timedelta | None:
        """How long it may be silent; None when it never said how often it reports."""
        if self.heartbeat_interval is None:
            return None
        return timedelta(seconds=MISSED_HEARTBEATS * self.heartbeat_interval)

    @property
    def unreachable_at(self) -> datetime | None:
        """From when on, without a report until then, it counts as unreachable; None when no report is expected."""
        if self.heartbeat_timeout is None or self.heartbeat_at is None or not self.is_expected:
            return None
        return self.heartbeat_at + self.heartbeat_timeout

    def is_unreachable(self, now: datetime) -> bool:
        """Whether whoever works on it has gone silent."""
        return self.unreachable_at is not None and now >= self.unreachable_at

    def unreachable_since(self, now: datetime) -> datetime | None:
        """The last report of one that is unreachable; None when it is not."""
        return self.heartbeat_at if self.is_unreachable(now) else None
