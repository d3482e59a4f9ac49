"""How every status looks: one table, total over the status enums."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypedDict

from services.entities import (
    AgentStatus,
    AlertStatus,
    ConnectionStatus,
    GoalStatus,
    NotificationType,
    Priority,
    ScanStatus,
)

Tone = Literal["neutral", "active", "positive", "caution", "critical"]
STATUS_ENUMS: tuple[type[StrEnum], ...] = (
    GoalStatus,
    ScanStatus,
    AgentStatus,
    Priority,
    AlertStatus,
    NotificationType,
    ConnectionStatus,
)


@dataclass(frozen=True, slots=True)
class StatusStyle:
    """A status on the screen: `tone` names the colour tokens `--lw-<tone>`, `-text` and `-soft`; `icon` is a
    Material icon; `pulse` says that work is going on."""

    tone: Tone
    icon: str
    label: str
    pulse: bool = False


class StatusStyleJson(TypedDict):
    """A `StatusStyle` as the browser's elements take it."""

    tone: Tone
    icon: str
    label: str
    pulse: bool


STATUS_STYLES: dict[type[StrEnum], dict[StrEnum, StatusStyle]] = {
    GoalStatus: {
        GoalStatus.NOT_STARTED: StatusStyle("neutral", "radio_button_unchecked", "Not started"),
        GoalStatus.IN_PROGRESS: StatusStyle("active", "play_circle", "In progress", pulse=True),
        GoalStatus.ON_TRACK: StatusStyle("positive", "trending_up", "On track", pulse=True),
        GoalStatus.AT_RISK: StatusStyle("caution", "warning_amber", "At risk", pulse=True),
        GoalStatus.BLOCKED: StatusStyle("critical", "block", "Blocked"),
        GoalStatus.COMPLETED: StatusStyle("positive", "check_circle", "Completed"),
    },
    ScanStatus: {
        ScanStatus.CONFIGURING: StatusStyle("neutral", "tune", "Configuring"),
        ScanStatus.SCANNING: StatusStyle("active", "radar", "Scanning", pulse=True),
        ScanStatus.ANALYZING: StatusStyle("active", "query_stats", "Analyzing", pulse=True),
        ScanStatus.PAUSED: StatusStyle("caution", "pause_circle", "Paused"),
        ScanStatus.COMPLETED: StatusStyle("positive", "check_circle", "Completed"),
        ScanStatus.FAILED: StatusStyle("critical", "error_outline", "Failed"),
    },
    AgentStatus: {
        AgentStatus.PENDING: StatusStyle("neutral", "schedule", "Pending"),
        AgentStatus.RUNNING: StatusStyle("active", "play_circle", "Running", pulse=True),
        AgentStatus.COMPLETED: StatusStyle("positive", "check_circle", "Completed"),
        AgentStatus.FAILED: StatusStyle("critical", "error_outline", "Failed"),
        AgentStatus.CANCELLED: StatusStyle("neutral", "cancel", "Cancelled"),
    },
    Priority: {
        Priority.LOW: StatusStyle("neutral", "south", "Low"),
        Priority.MEDIUM: StatusStyle("active", "remove", "Medium"),
        Priority.HIGH: StatusStyle("caution", "north", "High"),
        Priority.URGENT: StatusStyle("critical", "priority_high", "Urgent"),
    },
    AlertStatus: {
        AlertStatus.NEW: StatusStyle("active", "fiber_new", "New"),
        AlertStatus.ACKNOWLEDGED: StatusStyle("neutral", "done", "Acknowledged"),
        AlertStatus.DISMISSED: StatusStyle("neutral", "close", "Dismissed"),
    },
    NotificationType: {
        NotificationType.INFO: StatusStyle("active", "info", "Info"),
        NotificationType.SUCCESS: StatusStyle("positive", "check_circle", "Success"),
        NotificationType.WARNING: StatusStyle("caution", "warning_amber", "Warning"),
        NotificationType.ERROR: StatusStyle("critical", "error_outline", "Error"),
    },
    ConnectionStatus: {
        ConnectionStatus.CONNECTING: StatusStyle("caution", "sync", "Connecting", pulse=True),
        ConnectionStatus.CONNECTED: StatusStyle("positive", "wifi", "Connected"),
        ConnectionStatus.DISCONNECTED: StatusStyle("neutral", "cloud_off", "Offline"),
        ConnectionStatus.ERROR: StatusStyle("critical", "error_outline", "Error"),
    },
}


def status_style(status: StrEnum) -> StatusStyle:
    """The look of a member of a status enum."""
    return STATUS_STYLES[type(status)][status]


def status_styles_of(kind: type[StrEnum]) -> dict[str, StatusStyleJson]:
    """The looks of all members of one enum by value, as an element's prop."""
    return {
        status.value: StatusStyleJson(tone=each.tone, icon=each.icon, label=each.label, pulse=each.pulse)
        for status, each in STATUS_STYLES[kind].items()
    }
