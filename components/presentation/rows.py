"""What of a row a live element shows: plain JSON values, times as milliseconds since 1970 in UTC."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.entities import (
    AcquisitionScan,
    Activity,
    AgentExecution,
    Notification,
    Progress,
    Reported,
    SignalAlert,
    Stream,
)

Fields = dict[str, Any]
LOCAL_PATH = re.compile(r"/(?![/\\])[^\s\\]*")
WEB_ADDRESS = re.compile(r"https?://[^\s\\]+", re.IGNORECASE)


def present_stream(row: Stream) -> Fields:
    """A stream for `LiveList("stream")` and `LiveProgress`."""
    return {
        "name": row.name,
        "description": row.description,
        "stream_type": row.stream_type,
        "goal_status": row.goal_status.value,
        "completed": row.completed,
        "total": row.total,
        "percentage": row.percentage or 0.0,
        "quality_target": quality_target(row.target_metrics),
        "last_progress_at": epoch_ms(row.last_progress_at),
        "updated_at": epoch_ms(row.updated_at),
        "error": row.error,
        **present_pace(row),
        **present_presence(row),
    }


def present_scan(row: AcquisitionScan) -> Fields:
    """A scan for `LiveList("scan")`; `step` is the index of the current step, None when it is not among the steps."""
    steps = [step_name(step) for step in row.steps]
    return {
        "name": row.name,
        "status": row.status.value,
        "current_step": row.current_step,
        "steps": steps,
        "step": steps.index(row.current_step) if row.current_step in steps else None,
        "progress_percentage": row.progress_percentage,
        "targets_identified": row.targets_identified,
        "targets_analyzed": row.targets_analyzed,
        "started_at": epoch_ms(row.started_at),
        "completed_at": epoch_ms(row.completed_at),
        "updated_at": epoch_ms(row.updated_at),
        "last_progress_at": epoch_ms(row.last_progress_at),
        "error": row.error,
        **present_pace(row),
        **present_presence(row),
    }


def present_presence(row: Reported) -> Fields:
    """From when on, without a report until then, it cannot be reached; and its last report. None when none is due."""
    expected = row.unreachable_at
    return {
        "unreachable_at": to_seconds(expected),
        "reported_at": to_seconds(row.heartbeat_at) if expected else None,
    }


def present_pace(row: Progress) -> Fields:
    """The units a second to three digits, the second when it will be done, and that from which on it is stalled."""
    return {
        "rate": None if row.speed is None or not row.is_active else float(f"{row.speed:.3g}"),
        "done_at": to_seconds(row.done_at),
        "stalls_at": to_seconds(row.stalls_at),
    }


def present_agent(row: AgentExecution) -> Fields:
    """A run of an agent for `LiveList("agent")`."""
    return {
        "agent_name": row.agent_name,
        "agent_id": row.agent_id,
        "stream_id": str(row.stream_id),
        "status": row.status.value,
        "started_at": epoch_ms(row.started_at),
        "completed_at": epoch_ms(row.completed_at),
        "duration_ms": row.duration_ms,
        "summary": row.error or row.output_summary or row.input_summary,
        **present_presence(row),
    }


def present_alert(row: SignalAlert) -> Fields:
    """An alert for `LiveList("alert")`."""
    return {
        "target_name": row.target_name,
        "company_name": row.company_name,
        "signal_type": row.signal_type.replace("_", " "),
        "signal_strength": row.signal_strength,
        "priority": row.priority.value if row.priority else None,
        "status": row.status.value,
        "is_read": not row.is_unread,
        "stream_id": str(row.stream_id) if row.stream_id else None,
        "detected_at": epoch_ms(row.detected_at or row.created_at),
    }


def present_notification(row: Notification) -> Fields:
    """A message for `LiveList("notification")`; an `action_url` that is no path or web address is left out."""
    return {
        "type": row.type.value,
        "title": row.title,
        "message": row.message,
        "action_url": safe_address(row.action_url),
        "is_read": not row.is_unread,
        "created_at": epoch_ms(row.created_at),
    }


def present_activity(row: Activity) -> Fields:
    """An activity for `LiveList("activity")`; `look` is the status within the statuses of its kind of subject."""
    return {
        "look": f"{row.subject_table}/{row.status}",
        "subject": row.subject_table.value,
        "subject_id": str(row.subject_id),
        "subject_name": row.subject_name,
        "stream_id": str(row.stream_id) if row.stream_id else None,
        "is_new": row.previous_status is None,
        "created_at": epoch_ms(row.created_at),
    }


def epoch_ms(time: datetime | None) -> int | None:
    """Milliseconds since 1970 in UTC."""
    return None if time is None else round(time.timestamp() * 1000)


def to_seconds(time: datetime | None) -> int | None:
    """As `epoch_ms`, to the full second: finer than a person reads, it would change with every step."""
    return None if time is None else round(time.timestamp()) * 1000


def quality_target(metrics: Mapping[str, Any]) -> str | None:
    """The quality that a stream aims at, from `quality_target` or `quality`; a number up to 1 is a share."""
    target = metrics.get("quality_target", metrics.get("quality"))
    if isinstance(target, bool) or not isinstance(target, int | float | str) or target == "":
        return None
    if isinstance(target, str):
        return target
    return f"{target * 100 if 0 < target <= 1 else target:.4g}%"


def step_name(step: Any) -> str:
    """The name of a step, which is a text or an object with a `name`."""
    return str(step.get("name", "") if isinstance(step, Mapping) else step)


def safe_address(address: str | None) -> str | None:
    """The address if following it can only lead to a page: no scripts, no tricks with slashes."""
    if address and (LOCAL_PATH.fullmatch(address) or WEB_ADDRESS.fullmatch(address)):
        return address
    return None
