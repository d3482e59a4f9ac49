"""The tables that the product knows, one module each, with the statuses of their rows."""

from sqlalchemy.orm import configure_mappers

from services.entities.activities import Activity, Subject
from services.entities.agents import AgentExecution, AgentStatus
from services.entities.alerts import AlertStatus, Priority, SignalAlert
from services.entities.base import Row
from services.entities.connection import ConnectionStatus
from services.entities.notifications import Notification, NotificationType
from services.entities.progress import Progress, ProgressPoint
from services.entities.reported import Reported
from services.entities.scans import ACTIVE_SCANS, AcquisitionScan, ScanStatus
from services.entities.streams import ACTIVE_GOALS, GoalStatus, Stream
from services.people.models import Organization, OrgMember, Profile, Role

# Else SQLAlchemy does so with the first row that it makes, and until then attributes of rows that are only read fail.
configure_mappers()

__all__ = [
    "ACTIVE_GOALS",
    "ACTIVE_SCANS",
    "AcquisitionScan",
    "Activity",
    "AgentExecution",
    "AgentStatus",
    "AlertStatus",
    "ConnectionStatus",
    "GoalStatus",
    "Notification",
    "NotificationType",
    "OrgMember",
    "Organization",
    "Priority",
    "Profile",
    "Progress",
    "ProgressPoint",
    "Reported",
    "Role",
    "Row",
    "ScanStatus",
    "SignalAlert",
    "Stream",
    "Subject",
]
