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
class Look:
    """A status on the screen: `tone` names the colour tokens `--lw-<tone>`, `-text` and `-soft`; `icon` is a
    Material icon; `pulse` says that work is going on."""

    tone: Tone
    icon: str
    label: str
    pulse: bool = False


class LookJson(TypedDict):
    """A `Look` as the browser's elements take it."""

    tone: Tone
    icon: str
    label: str
    pulse: bool


LOOKS: dict[type[StrEnum], dict[StrEnum, Look]] = {
    GoalStatus: {
        GoalStatus.NOT_STARTED: Look("neutral", "radio_button_unchecked", "Not started"),
        GoalStatus.IN_PROGRESS: Look("active", "play_circle", "In progress", pulse=True),
        GoalStatus.ON_TRACK: Look("positive", "trending_up", "On track", pulse=True),
        GoalStatus.AT_RISK: Look("caution", "warning_amber", "At risk", pulse=True),
        GoalStatus.BLOCKED: Look("critical", "block", "Blocked"),
        GoalStatus.COMPLETED: Look("positive", "check_circle", "Completed"),
    },
    ScanStatus: {
        ScanStatus.CONFIGURING: Look("neutral", "tune", "Configuring"),
        ScanStatus.SCANNING: Look("active", "radar", "Scanning", pulse=True),
        ScanStatus.ANALYZING: Look("active", "query_stats", "Analyzing", pulse=True),
        ScanStatus.PAUSED: Look("caution", "pause_circle", "Paused"),
        ScanStatus.COMPLETED: Look("positive", "check_circle", "Completed"),
        ScanStatus.FAILED: Look("critical", "error_outline", "Failed"),
    },
    AgentStatus: {
        AgentStatus.PENDING: Look("neutral", "schedule", "Pending"),
        AgentStatus.RUNNING: Look("active", "play_circle", "Running", pulse=True),
        AgentStatus.COMPLETED: Look("positive", "check_circle", "Completed"),
        AgentStatus.FAILED: Look("critical", "error_outline", "Failed"),
        AgentStatus.CANCELLED: Look("neutral", "cancel", "Cancelled"),
    },
    Priority: {
        Priority.LOW: Look("neutral", "south", "Low"),
        Priority.MEDIUM: Look("active", "remove", "Medium"),
        Priority.HIGH: Look("caution", "north", "High"),
        Priority.URGENT: Look("critical", "priority_high", "Urgent"),
    },
    AlertStatus: {
        AlertStatus.NEW: Look("active", "fiber_new", "New"),
        AlertStatus.ACKNOWLEDGED: Look("neutral", "done", "Acknowledged"),
        AlertStatus.DISMISSED: Look("neutral", "close", "Dismissed"),
    },
    NotificationType: {
        NotificationType.INFO: Look("active", "info", "Info"),
        NotificationType.SUCCESS: Look("positive", "check_circle", "Success"),
        NotificationType.WARNING: Look("caution", "warning_amber", "Warning"),
        NotificationType.ERROR: Look("critical", "error_outline", "Error"),
    },
    ConnectionStatus: {
        ConnectionStatus.CONNECTING: Look("caution", "sync", "Connecting", pulse=True),
        ConnectionStatus.CONNECTED: Look("positive", "wifi", "Connected"),
        ConnectionStatus.DISCONNECTED: Look("neutral", "cloud_off", "Offline"),
        ConnectionStatus.ERROR: Look("critical", "error_outline", "Error"),
    },
}


def look(status: StrEnum) -> Look:
    """The look of a member of a status enum."""
    return LOOKS[type(status)][status]


def looks_of(kind: type[StrEnum]) -> dict[str, LookJson]:
    """The looks of all members of one enum by value, as an element's prop."""
    return {
        status.value: LookJson(tone=each.tone, icon=each.icon, label=each.label, pulse=each.pulse)
        for status, each in LOOKS[kind].items()
    }
