"""The tables that the product knows, one module each, with the statuses of their rows."""

from services.models.agents import AgentExecution, AgentStatus
from services.models.alerts import AlertStatus, Priority, SignalAlert
from services.models.base import Row
from services.models.connection import ConnectionStatus
from services.models.notifications import Notification, NotificationType
from services.models.organizations import Organization, OrgMember, Profile, Role
from services.models.scans import AcquisitionScan, ScanStatus
from services.models.streams import GoalStatus, Stream

__all__ = [
    "AcquisitionScan",
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
    "Role",
    "Row",
    "ScanStatus",
    "SignalAlert",
    "Stream",
]
