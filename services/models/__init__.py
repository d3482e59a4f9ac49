"""The tables that the product knows, one module each, with the statuses of their rows."""

from sqlalchemy.orm import configure_mappers

from services.models.activities import Activity, Subject
from services.models.agents import AgentExecution, AgentStatus
from services.models.alerts import AlertStatus, Priority, SignalAlert
from services.models.base import Row
from services.models.connection import ConnectionStatus
from services.models.notifications import Notification, NotificationType
from services.models.organizations import Organization, OrgMember, Profile, Role
from services.models.progress import Progress, ProgressPoint
from services.models.reported import Reported
from services.models.scans import ACTIVE_SCANS, AcquisitionScan, ScanStatus
from services.models.streams import ACTIVE_GOALS, GoalStatus, Stream

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
