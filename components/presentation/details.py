"""Presentation of a row as the fields of a `Details` element."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, Literal, TypedDict

from components.presentation.rows import (
    Fields,
    present_alert,
    present_bars,
    present_pace,
    present_reachability,
    quality_target,
    safe_url,
    step_index,
    step_name,
)
from components.presentation.time import epoch_ms
from services.entities import (
    AGENTS,
    ALERTS,
    NOTIFICATIONS,
    SCANS,
    STREAMS,
    AcquisitionScan,
    AgentExecution,
    Entity,
    Notification,
    R,
    SignalAlert,
    Stream,
)
from services.entities.base.reported import Reported
from services.text import visible, visible_name

FieldKind = Literal["text", "time", "duration", "number", "percent", "code"]
HIDDEN_FIELDS = {"org_id", "version", "status", "ingest_key", "heartbeat_interval", "rate_window", "progress_interval"}
"""Model fields that default details omit."""


class DetailField(TypedDict):
    """Labelled value; times are in epoch milliseconds, durations in milliseconds, and None is shown as a dash."""

    key: str
    label: str
    kind: FieldKind
    value: Any


def present_agent_details(row: AgentExecution) -> Fields:
    """Return the details of an agent execution."""
    return {
        "title": visible_name(row.agent_name),
        "status": row.status.value,
        "stream_id": str(row.stream_id),
        "running_since": epoch_ms(row.started_at) if row.completed_at is None else None,
        "fields": [
            _field("agent_id", "Agent", "code", row.agent_id),
            _field("tags", "Tags", "text", ", ".join(map(visible_name, row.tags)) or None),
            _field("id", "Run", "code", str(row.id)),
            *_run_number(row),
            _field("created_at", "Created", "time", epoch_ms(row.created_at)),
            _field("started_at", "Started", "time", epoch_ms(row.started_at)),
            _field("completed_at", "Ended", "time", epoch_ms(row.completed_at)),
            _field("duration_ms", "Duration", "duration", row.duration_ms),
        ],
        "texts": [
            *_texts(("Error", row.error), ("Output", row.output_summary), ("Input", row.input_summary)),
            *_attempts(row),
        ],
        "steps": [],
        **present_reachability(row),
    }


def present_scan_details(row: AcquisitionScan) -> Fields:
    """Return the details of a scan."""
    steps = [step_name(step) for step in row.steps]
    return {
        "title": visible_name(row.name),
        "status": row.status.value,
        "stream_id": str(row.stream_id) if row.stream_id else None,
        "running_since": epoch_ms(row.started_at) if row.completed_at is None else None,
        "percentage": row.progress_percentage,
        "fields": [
            _field("id", "Scan", "code", str(row.id)),
            *_run_number(row),
            _field("tags", "Tags", "text", ", ".join(map(visible_name, row.tags)) or None),
            _field("targets_identified", "Targets identified", "number", row.targets_identified),
            _field("targets_analyzed", "Targets analysed", "number", row.targets_analyzed),
            _field("started_at", "Started", "time", epoch_ms(row.started_at)),
            _field("completed_at", "Ended", "time", epoch_ms(row.completed_at)),
            _field("last_progress_at", "Last progress", "time", epoch_ms(row.last_progress_at)),
        ],
        "texts": [*_texts(("Error", row.error)), *_attempts(row)],
        "steps": steps,
        "step": step_index(steps, row.current_step),
        "last_progress_at": epoch_ms(row.last_progress_at),
        **present_pace(row),
        **present_reachability(row),
    }


def present_stream_details(row: Stream) -> Fields:
    """Return the details of a stream, beyond what its card shows."""
    return {
        "title": visible_name(row.name),
        "status": row.goal_status.value,
        "fields": [
            _field("slug", "Slug", "code", row.slug),
            *_run_number(row),
            _field("stream_type", "Type", "text", visible(row.stream_type)),
            _field("quality_target", "Quality target", "text", quality_target(row.target_metrics)),
            _field("created_at", "Created", "time", epoch_ms(row.created_at)),
            _field("last_progress_at", "Last progress", "time", epoch_ms(row.last_progress_at)),
            _field("heartbeat_at", "Last report", "time", epoch_ms(row.heartbeat_at)),
            _field("finished_at", "Ended", "time", epoch_ms(row.finished_at)),
            _field("id", "Stream", "code", str(row.id)),
        ],
        "texts": [*_texts(("Error", row.error), ("Description", row.description)), *_attempts(row)],
        "metadata": _metadata(row.details),
        "bars": present_bars(row.bars),
        "bar_count": row.bar_count,
    }


def present_alert_details(row: SignalAlert) -> Fields:
    """Return the details of an alert."""
    alert = present_alert(row)
    return {
        "title": alert["target_name"],
        "status": alert["priority"],
        "stream_id": alert["stream_id"],
        "fields": [
            _field("signal_type", "Signal", "text", alert["signal_type"]),
            _field("signal_strength", "Strength", "number", row.signal_strength),
            _field("company_name", "Company", "text", alert["company_name"]),
            _field("state", "State", "text", row.status.style.label),
            _field("detected_at", "Detected", "time", alert["detected_at"]),
            _field("read_at", "Read", "time", epoch_ms(row.read_at)),
            _field("id", "Alert", "code", str(row.id)),
        ],
        "metadata": _metadata(row.details),
    }


def present_notification_details(row: Notification) -> Fields:
    """Return the details of a notification."""
    return {
        "title": visible_name(row.title),
        "status": row.type.value,
        "link": safe_url(row.action_url),
        "fields": [
            _field("created_at", "Sent", "time", epoch_ms(row.created_at)),
            _field("read_at", "Read", "time", epoch_ms(row.read_at)),
        ],
        "texts": _texts(("Message", row.message)),
    }


DETAIL_PRESENTERS: Mapping[str, Callable[[Any], Fields]] = {
    AGENTS.table: present_agent_details,
    SCANS.table: present_scan_details,
    STREAMS.table: present_stream_details,
    ALERTS.table: present_alert_details,
    NOTIFICATIONS.table: present_notification_details,
}
"""Presenters by table, for entities with custom details."""


def detail_presenter(entity: Entity[R]) -> Callable[[R], Fields]:
    """Return the function that presents the details of an entity's rows; the same object on each call."""
    return DETAIL_PRESENTERS.get(entity.table) or _model_presenter(entity)


@cache
def _model_presenter(entity: Entity[Any]) -> Callable[[Any], Fields]:
    """Return a presenter of default details, from the entity's layout and model fields."""
    layout = entity.layout
    names = [name for name in entity.model.model_fields if name not in HIDDEN_FIELDS]

    def present(row: Any) -> Fields:
        status = layout.status(row)
        return {
            "title": visible_name(layout.title(row)),
            "status": status.value if status else None,
            "stream_id": None,
            "running_since": None,
            "percentage": layout.progress(row),
            "fields": [_field_of(name, getattr(row, name)) for name in names],
            "texts": [],
            "steps": [],
        }

    return present


def _field_of(name: str, value: Any) -> DetailField:
    label = name.replace("_", " ").capitalize()
    if isinstance(value, datetime):
        return _field(name, label, "time", epoch_ms(value))
    if isinstance(value, Enum):
        return _field(name, label, "text", value.value)
    if isinstance(value, int | float | None) and not isinstance(value, bool):
        return _field(name, label, "number", value)
    return _field(name, label, "code" if name == "id" else "text", str(value))


def _field(key: str, label: str, kind: FieldKind, value: Any) -> DetailField:
    return DetailField(key=key, label=label, kind=kind, value=value)


def _run_number(row: Reported) -> list[DetailField]:
    """Return the number of a run within its job, and of its attempt if it is not the first."""
    return [
        *([_field("number", "Run number", "number", row.number)] if row.number else []),
        *([_field("attempt", "Attempt", "number", row.attempt)] if row.attempt > 1 else []),
    ]


def _attempts(row: Reported) -> list[dict[str, str]]:
    """Return how the earlier attempts of a run ended, the last one first."""
    return _texts(
        *(
            (
                f"Attempt {each.get('number')}: {str(each.get('status')).replace('_', ' ')}",
                each.get("error") or "No error",
            )
            for each in reversed(row.attempts)
        )
    )


def _metadata(details: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return reported metadata as labels and texts; structured values in JSON."""
    return [
        {
            "label": visible_name(name),
            "text": visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)),
        }
        for name, value in details.items()
    ]


def _texts(*labelled: tuple[str, str | None]) -> list[dict[str, str]]:
    return [{"label": label, "text": visible(text)} for label, text in labelled if text]
