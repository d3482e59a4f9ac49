"""The monitored tables, one module each with statuses, model and entity; `ENTITIES` is their registry."""

from typing import Any

from sqlalchemy.orm import configure_mappers

from services.entities.activities import ACTIVITIES, SUBJECT_STATUSES, Activity, Subject
from services.entities.agents import AGENTS, AgentExecution, AgentStatus
from services.entities.alerts import ALERTS, AlertStatus, Priority, SignalAlert
from services.entities.base.connection import ConnectionStatus
from services.entities.base.entity import Entity, LiveTable, Scope, Topic
from services.entities.base.grouping import RowGroup
from services.entities.base.progress import MAX_AMOUNT, Amount, Progress, ProgressPoint
from services.entities.base.reported import Reported
from services.entities.base.row import R, Row
from services.entities.base.status import StatusStyle, StatusStyleJson, StyledStatus, Tone
from services.entities.edits import EDITS, Edit
from services.entities.notifications import NOTIFICATIONS, Notification, NotificationType
from services.entities.saved_views import OWN_VIEWS, SHARED_VIEWS, OwnView, SavedView, SharedView
from services.entities.scans import ACTIVE_SCANS, SCANS, AcquisitionScan, ScanStatus
from services.entities.schedules import SCHEDULES, JobSchedule
from services.entities.streams import ACTIVE_GOALS, STREAMS, GoalStatus, Stream
from services.entities.threads import (
    MESSAGES,
    READ_POSITIONS,
    THREADS,
    Handling,
    Message,
    MessageKind,
    ReadPosition,
    Thread,
    Topical,
)
from services.entities.viewers import VIEWERS, Viewer, ViewerPlace, Viewers

ENTITIES: tuple[Entity[Any], ...] = (
    STREAMS,
    SCANS,
    AGENTS,
    ALERTS,
    NOTIFICATIONS,
    ACTIVITIES,
)
"""Every monitored table; tabs appear in this order."""
RUNS: dict[str, Entity[Any]] = {"streams": STREAMS, "scans": SCANS, "agents": AGENTS}
"""The kinds of run, by the names that programs use."""
LIVE_TABLES: tuple[LiveTable[Any], ...] = (
    *ENTITIES,
    VIEWERS,
    THREADS,
    MESSAGES,
    READ_POSITIONS,
    EDITS,
    SHARED_VIEWS,
    OWN_VIEWS,
    SCHEDULES,
)
"""Every table that feeds hold, those without lists included."""

# Without this SQLAlchemy configures them at the first instance, and attributes of rows that are only read fail.
configure_mappers()

__all__ = [
    "ACTIVE_GOALS",
    "ACTIVE_SCANS",
    "ACTIVITIES",
    "AGENTS",
    "ALERTS",
    "EDITS",
    "ENTITIES",
    "LIVE_TABLES",
    "MAX_AMOUNT",
    "MESSAGES",
    "NOTIFICATIONS",
    "OWN_VIEWS",
    "READ_POSITIONS",
    "RUNS",
    "SCANS",
    "SCHEDULES",
    "SHARED_VIEWS",
    "STREAMS",
    "SUBJECT_STATUSES",
    "THREADS",
    "VIEWERS",
    "AcquisitionScan",
    "Activity",
    "AgentExecution",
    "AgentStatus",
    "AlertStatus",
    "Amount",
    "ConnectionStatus",
    "Edit",
    "Entity",
    "GoalStatus",
    "Handling",
    "JobSchedule",
    "LiveTable",
    "Message",
    "MessageKind",
    "Notification",
    "NotificationType",
    "OwnView",
    "Priority",
    "Progress",
    "ProgressPoint",
    "R",
    "ReadPosition",
    "Reported",
    "Row",
    "RowGroup",
    "SavedView",
    "ScanStatus",
    "Scope",
    "SharedView",
    "SignalAlert",
    "StatusStyle",
    "StatusStyleJson",
    "Stream",
    "StyledStatus",
    "Subject",
    "Thread",
    "Tone",
    "Topic",
    "Topical",
    "Viewer",
    "ViewerPlace",
    "Viewers",
]
