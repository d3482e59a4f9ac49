"""Activities: the statuses that streams, scans and agents took, written by the database alone."""

from enum import StrEnum
from uuid import UUID

from services.entities.base import Row, status_field


class Subject(StrEnum):
    """Whose status it is, by the name of its table."""

    STREAM = "streams"
    SCAN = "acquisition_scans"
    AGENT = "agent_executions"


class Activity(Row, table=True):
    """`subject_name`, as it was called then, went from `previous_status` (None: it is new) to `status`.

    `actor` is the user who did it, None for a service.
    """

    __tablename__ = "activities"

    stream_id: UUID | None = None
    subject_table: Subject = status_field(Subject.STREAM)
    subject_id: UUID
    subject_name: str
    status: str
    previous_status: str | None = None
    actor: UUID | None = None
