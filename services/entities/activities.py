"""Activities: the statuses that streams, scans and agents took, written by the database alone."""

from enum import StrEnum
from uuid import UUID

from services.entities.agents import AgentStatus
from services.entities.base.entity import Entity, Scope
from services.entities.base.layout import EmptyState, RowLayout
from services.entities.base.listing import NEWEST, ListSpec
from services.entities.base.row import Row, status_field
from services.entities.base.status import StyledStatus
from services.entities.scans import ScanStatus
from services.entities.streams import GoalStatus


class Subject(StrEnum):
    """Whose status an activity is about, by the name of its table."""

    STREAM = "streams"
    SCAN = "acquisition_scans"
    AGENT = "agent_executions"
    JOB = "jobs"


class IncidentStatus(StyledStatus):
    """What the watcher found of a run or a job, or that it is over."""

    UNREACHABLE = "unreachable", "critical", "cloud_off", "Unreachable"
    STALLED = "stalled", "caution", "hourglass_disabled", "Stalled"
    SLOW = "slow", "caution", "schedule", "Longer than usual"
    OVERDUE = "overdue", "caution", "timer_off", "Overdue"
    LATE = "late", "critical", "alarm", "Late"
    RECOVERED = "recovered", "positive", "settings_backup_restore", "Back"


SUBJECT_STATUSES: dict[Subject, tuple[type[StyledStatus], ...]] = {
    Subject.STREAM: (GoalStatus, IncidentStatus),
    Subject.SCAN: (ScanStatus, IncidentStatus),
    Subject.AGENT: (AgentStatus, IncidentStatus),
    Subject.JOB: (IncidentStatus,),
}
"""Of each subject the statuses that its activities have."""


class Activity(Row, table=True):
    """A change of a status: `subject_name`, as it was called then, went from `previous_status` to `status`.

    Or the begin of an incident, which `status` names, or its end: then `status` is `recovered`, `previous_status` the
    kind of the incident, and `lasted_seconds` its duration. `previous_status` is None for a new subject. `actor` is
    the user who made the change, None for a service.
    """

    __tablename__ = "activities"

    stream_id: UUID | None = None
    subject_table: Subject = status_field(Subject.STREAM)
    subject_id: UUID
    subject_name: str
    status: str
    previous_status: str | None = None
    actor: UUID | None = None
    incident_id: UUID | None = None
    lasted_seconds: float | None = None

    @property
    def styled_status(self) -> StyledStatus | None:
        """The status as a member of its subject's enum; None for a value that the enum does not know."""
        return next(
            (
                statuses(self.status)  # type: ignore[call-arg]
                for statuses in SUBJECT_STATUSES[self.subject_table]
                if self.status in statuses.__members__.values()
            ),
            None,
        )


ACTIVITIES = Entity(
    table="activities",
    model=Activity,
    scope=Scope.ORG,
    order="created_at desc",
    limit=500,
    label="Activity",
    noun="activity",
    statuses=GoalStatus,
    layout=RowLayout(title=lambda row: row.subject_name, status=lambda row: row.styled_status),
    listing=ListSpec(
        search_text=lambda row: f"{row.subject_name} {row.status}",
        search_sql="concat_ws(' ', subject_name, status)",
        sorts=(NEWEST,),
    ),
    empty=EmptyState(icon="history", text="No activity yet. Every change of a status is recorded here."),
    has_details=False,
    skeletons=6,
    is_read_only=True,
    grouping={},
)
