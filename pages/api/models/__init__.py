"""Request models of the ingest API, with their validation, descriptions and examples."""

from pages.api.models.batches import Batch, BatchOperation, HeartbeatReport, LogLine, LogReport
from pages.api.models.bodies import Body, Empty, RunBody
from pages.api.models.messages import AlertReport, NotificationReport
from pages.api.models.runs import (
    AgentFinish,
    AgentReport,
    Bar,
    Close,
    Finish,
    Handle,
    ScanFinish,
    ScanReport,
    StreamFinish,
    StreamReport,
)
from pages.api.models.schedules import ScheduleReport

__all__ = [
    "AgentFinish",
    "AgentReport",
    "AlertReport",
    "Bar",
    "Batch",
    "BatchOperation",
    "Body",
    "Close",
    "Empty",
    "Finish",
    "Handle",
    "HeartbeatReport",
    "LogLine",
    "LogReport",
    "NotificationReport",
    "RunBody",
    "ScanFinish",
    "ScanReport",
    "ScheduleReport",
    "StreamFinish",
    "StreamReport",
]
