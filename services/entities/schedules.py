"""Schedules of jobs, as the watcher and their writers leave them."""

from uuid import UUID

from pydantic import AwareDatetime

from services.entities.base.entity import LiveTable, Scope
from services.entities.base.row import Row, timestamp_field


class JobSchedule(Row, table=True):
    """The schedule of a job: what pages need to notice that it has changed; `services.schedules` reads it whole."""

    __tablename__ = "schedules"

    job_id: UUID
    kind: str
    slug: str
    paused_at: AwareDatetime | None = timestamp_field()
    next_due_at: AwareDatetime | None = timestamp_field()
    late_since: AwareDatetime | None = timestamp_field()


SCHEDULES = LiveTable(table="schedules", model=JobSchedule, scope=Scope.ORG, order="created_at desc", limit=1000)
