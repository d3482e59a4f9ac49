"""Presentation of rows as the fields of live lists: JSON values, with times in epoch milliseconds."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from components.presentation.time import epoch_ms, epoch_ms_of_second
from services.entities import (
    ACTIVITIES,
    AGENTS,
    ALERTS,
    NOTIFICATIONS,
    SCANS,
    STREAMS,
    AcquisitionScan,
    Activity,
    AgentExecution,
    Entity,
    Notification,
    Progress,
    R,
    Reported,
    SignalAlert,
    Stream,
)
from services.entities.streams import percentage
from services.text import visible, visible_name

Fields = dict[str, Any]
LOCAL_PATH = re.compile(r"/(?![/\\])[^\s\\]*")
MAX_CARD_BARS = 3
MAX_BAR_DEPTH = 4
WEB_URL = re.compile(r"https?://[^\s\\]+", re.IGNORECASE)


def present_stream(row: Stream) -> Fields:
    """Return the fields of a stream card; `percentage` is None without a total."""
    return {
        "name": visible_name(row.name),
        "description": visible(row.description),
        "stream_type": visible(row.stream_type),
        "tags": [visible_name(tag) for tag in row.tags],
        "goal_status": row.goal_status.value,
        "completed": row.completed,
        "total": row.total,
        "percentage": (row.percentage or 0.0) if row.total else None,
        "started_at": epoch_ms(row.created_at),
        "duration_ms": _milliseconds(row.created_at, row.finished_at),
        "unit": visible(row.unit) if row.unit else None,
        "bars": present_bars(row.bars, limit=MAX_CARD_BARS),
        "bar_count": row.bar_count,
        "quality_target": quality_target(row.target_metrics),
        "last_progress_at": epoch_ms(row.last_progress_at),
        "updated_at": epoch_ms(row.updated_at),
        "error": _visible(row.error),
        **present_pace(row),
        **present_reachability(row),
    }


def present_scan(row: AcquisitionScan) -> Fields:
    """Return the fields of a scan card; `step` is the index of the current step, None if it is not in the steps."""
    steps = [step_name(step) for step in row.steps]
    return {
        "name": visible_name(row.name),
        "status": row.status.value,
        "current_step": _visible(row.current_step),
        "tags": [visible_name(tag) for tag in row.tags],
        "steps": steps,
        "step": step_index(steps, row.current_step),
        "progress_percentage": row.progress_percentage,
        "targets_identified": row.targets_identified,
        "targets_analyzed": row.targets_analyzed,
        "started_at": epoch_ms(row.started_at),
        "completed_at": epoch_ms(row.completed_at),
        "updated_at": epoch_ms(row.updated_at),
        "last_progress_at": epoch_ms(row.last_progress_at),
        "error": _visible(row.error),
        **present_pace(row),
        **present_reachability(row),
    }


def present_agent(row: AgentExecution) -> Fields:
    """Return the fields of an agent execution."""
    return {
        "agent_name": visible_name(row.agent_name),
        "agent_id": row.agent_id,
        "tags": [visible_name(tag) for tag in row.tags],
        "stream_id": str(row.stream_id),
        "status": row.status.value,
        "started_at": epoch_ms(row.started_at),
        "completed_at": epoch_ms(row.completed_at),
        "duration_ms": row.duration_ms,
        "summary": _visible(row.summary),
        **present_reachability(row),
    }


def present_alert(row: SignalAlert) -> Fields:
    """Return the fields of an alert."""
    return {
        "target_name": visible_name(row.target_name),
        "company_name": _visible(row.company_name),
        "signal_type": visible(row.signal_type.replace("_", " ")),
        "signal_strength": row.signal_strength,
        "priority": row.priority.value if row.priority else None,
        "status": row.status.value,
        "is_read": not row.is_unread,
        "stream_id": str(row.stream_id) if row.stream_id else None,
        "event_id": str(row.event_id) if row.event_id else None,
        "detected_at": epoch_ms(row.detected_at or row.created_at),
    }


def present_notification(row: Notification) -> Fields:
    """Return the fields of a notification; an unsafe `action_url` becomes None."""
    return {
        "type": row.type.value,
        "title": visible_name(row.title),
        "message": visible(row.message),
        "action_url": safe_url(row.action_url),
        "is_read": not row.is_unread,
        "created_at": epoch_ms(row.created_at),
    }


def present_activity(row: Activity) -> Fields:
    """Return the fields of an activity; `status_style` is `<subject table>/<status>`."""
    return {
        "status_style": f"{row.subject_table}/{row.status}",
        "subject": row.subject_table.value,
        "subject_id": str(row.subject_id),
        "subject_name": visible_name(row.subject_name),
        "stream_id": str(row.stream_id) if row.stream_id else None,
        "is_new": row.previous_status is None,
        "lasted_ms": None if row.lasted_seconds is None else round(row.lasted_seconds * 1000),
        "created_at": epoch_ms(row.created_at),
    }


def present_bars(bars: Sequence[Mapping[str, Any]], *, limit: int | None = None) -> list[Fields]:
    """Return a run's bars in their order, with their depth of nesting.

    Args:
        bars: The bars as reported.
        limit: Maximum number of bars, of which open ones are preferred; all by default.
    """
    shown = list(bars)
    if limit is not None and len(shown) > limit:
        shown = sorted(shown, key=lambda bar: bar.get("status") != "in_progress")[:limit]
    parents = {bar.get("id"): bar.get("parent") for bar in bars}
    return [_present_bar(bar, _depth(bar, parents)) for bar in shown]


def _present_bar(bar: Mapping[str, Any], depth: int) -> Fields:
    completed, total = bar.get("completed") or 0, bar.get("total") or 0
    unit = bar.get("unit")
    return {
        "id": str(bar.get("id")),
        "name": visible(str(bar.get("name") or "")),
        "status": bar.get("status"),
        "completed": completed,
        "total": total,
        "unit": visible(str(unit)) if unit else None,
        "percentage": percentage(completed, total) if total else None,
        "depth": depth,
    }


def _depth(bar: Mapping[str, Any], parents: Mapping[Any, Any]) -> int:
    depth, parent = 0, bar.get("parent")
    while parent in parents and depth < MAX_BAR_DEPTH:
        depth, parent = depth + 1, parents[parent]
    return depth


PRESENTERS: Mapping[str, Callable[[Any], Fields]] = {
    STREAMS.table: present_stream,
    SCANS.table: present_scan,
    AGENTS.table: present_agent,
    ALERTS.table: present_alert,
    NOTIFICATIONS.table: present_notification,
    ACTIVITIES.table: present_activity,
}
"""Presenters by table, for entities with their own template in `row_templates.js`."""


def presenter(entity: Entity[R]) -> Callable[[R], Fields]:
    """Return the function that presents an entity's rows; the same object on each call."""
    return PRESENTERS.get(entity.table) or _layout_presenter(entity)


@cache
def _layout_presenter(entity: Entity[Any]) -> Callable[[Any], Fields]:
    """Return a presenter for the default row template, from the entity's layout."""
    layout = entity.layout

    def present(row: Any) -> Fields:
        status = layout.status(row)
        return {
            "title": visible_name(layout.title(row)),
            "note": _visible(layout.note(row)),
            "status": status.value if status else None,
            "progress": layout.progress(row),
            "time": epoch_ms(layout.time(row)),
        }

    return present


def present_reachability(row: Reported) -> Fields:
    """Return the open incidents of a run, and of an unreachable one its last heartbeat."""
    return {"incidents": row.incidents, "reported_at": epoch_ms_of_second(row.unreachable_since)}


def present_pace(row: Progress) -> Fields:
    """Return the rate in units per second (three digits) and the estimated completion."""
    return {
        "rate": None if row.speed is None or not row.is_active else float(f"{row.speed:.3g}"),
        "done_at": epoch_ms_of_second(row.done_at),
    }


def quality_target(metrics: Mapping[str, Any]) -> str | None:
    """Return the quality target in `quality_target` or `quality`; a number up to 1 is a fraction."""
    target = metrics.get("quality_target", metrics.get("quality"))
    if isinstance(target, bool) or not isinstance(target, int | float | str) or target == "":
        return None
    if isinstance(target, str):
        return target
    return f"{target * 100 if 0 < target <= 1 else target:.4g}%"


def step_name(step: Any) -> str:
    """Return the name of a step, which is a string or an object with a `name`."""
    return visible(str(step.get("name", "") if isinstance(step, Mapping) else step))


def _milliseconds(start: datetime | None, end: datetime | None) -> int | None:
    return round((end - start).total_seconds() * 1000) if start and end else None


def step_index(steps: Sequence[str], current: str | None) -> int | None:
    """Return the index of the current step among the presented names; None if it is not one of them."""
    shown = _visible(current)
    return steps.index(shown) if shown in steps else None


def _visible(text: str | None) -> str | None:
    return None if text is None else visible(text)


def safe_url(url: str | None) -> str | None:
    """Return a URL that is a path of this app or an http(s) URL; None for others, such as `javascript:` or `//host`."""
    if url and (LOCAL_PATH.fullmatch(url) or WEB_URL.fullmatch(url)):
        return url
    return None
