"""Sample rows in every status, for the gallery and for tests of elements."""

from datetime import UTC, datetime
from typing import Any

from services.entities import (
    ACTIVITIES,
    AGENTS,
    ALERTS,
    NOTIFICATIONS,
    SCANS,
    STREAMS,
    SUBJECT_STATUSES,
    AgentStatus,
    Entity,
    GoalStatus,
    NotificationType,
    Priority,
    ScanStatus,
)

LONG = "A name so long that it has to be cut somewhere, and better at its end than in the middle of the page"


def rows_of(entity: Entity[Any]) -> dict[str, Any]:
    """Return the content of a reset with one row per status."""
    make = _ROWS.get(entity.table)
    fields = make() if make else _default_rows(entity)
    rows = {f"{entity.table}-{index}": row for index, row in enumerate(fields)}
    return {"order": list(rows), "rows": rows}


def _streams() -> list[dict[str, Any]]:
    return [
        {
            "name": LONG if index == 1 else f"Package coverage {index + 1}",
            "stream_type": "acquisition",
            "goal_status": status.value,
            "completed": completed,
            "total": 300 if index != 2 else 1234567,
            "percentage": (round(completed / 3, 1), None)[index % 4 == 1] if index != 2 else 12.4,
            "unit": ("rows", "B", None)[index % 3],
            "bars": _bars() if index == 3 else [],
            "bar_count": 5 if index == 3 else 0,
            "started_at": ago(seconds=90),
            "duration_ms": 754_000 if status is GoalStatus.COMPLETED else None,
            "quality_target": "95%" if index % 2 else None,
            "updated_at": ago(seconds=3 * 12**index),
            **(_silent() if status is GoalStatus.AT_RISK else {}),
        }
        for index, (status, completed) in enumerate(
            zip(GoalStatus, (0, 128, 153086, 64, 17, 300, 120, 40), strict=True)
        )
    ]


def _bars() -> list[dict[str, Any]]:
    return [
        {
            "id": str(index),
            "name": name,
            "status": status,
            "completed": 12,
            "total": 40,
            "unit": "B" if index else None,
            "percentage": share,
            "depth": index,
        }
        for index, (name, status, share) in enumerate(
            [("Epoch", "in_progress", 30.0), ("Batches", "in_progress", None), (LONG, "stopped", 80.0)]
        )
    ]


def _scans() -> list[dict[str, Any]]:
    steps = ["Identify targets", "Read metadata", "Analyze", "Compile sources", "Report"]
    return [
        {
            "name": LONG if index == 1 else f"Installed packages {index + 1}",
            "status": status.value,
            "steps": steps,
            "current_step": steps[min(index, 4)],
            "step": min(index, 4),
            "progress_percentage": 100 if status is ScanStatus.COMPLETED else 18.4 * index,
            "targets_identified": 412,
            "targets_analyzed": 76 * index,
            "error": "The connection to the registry was refused twice." if status is ScanStatus.FAILED else None,
            "updated_at": ago(seconds=4 * 9**index),
            **(_silent() if status is ScanStatus.ANALYZING else {}),
        }
        for index, status in enumerate(ScanStatus)
    ]


def _agents() -> list[dict[str, Any]]:
    notes = ["Waits for a free worker", "Reads pyproject.toml of requests", "Found 3 licences", "Timed out", None]
    return [
        {
            "agent_name": LONG if index == 2 else f"licence-reader-{index + 1}",
            "status": status.value,
            "summary": note,
            "started_at": None if status is AgentStatus.PENDING else ago(seconds=70 * index),
            "duration_ms": None if index < 2 else 740 * 11**index,
            **(_silent() if status is AgentStatus.RUNNING else {}),
        }
        for index, (status, note) in enumerate(zip(AgentStatus, notes, strict=True))
    ]


def _alerts() -> list[dict[str, Any]]:
    return [
        {
            "target_name": LONG if index == 1 else ("requests", "", "torch", "numpy")[index],
            "company_name": "Python Software Foundation" if index % 2 else None,
            "signal_type": "unusually large",
            "signal_strength": strength,
            "priority": priority.value,
            "is_read": index > 1,
            "stream_id": "1" if index < 2 else None,
            "detected_at": ago(seconds=20 * 30**index),
        }
        for index, (priority, strength) in enumerate(zip(reversed(Priority), (100, 82, 61, 7), strict=True))
    ]


def _notifications() -> list[dict[str, Any]]:
    return [
        {
            "type": kind.value,
            "title": LONG if index == 2 else f"Scan {index + 1} has ended",
            "message": "All 412 targets were analyzed; 17 raised an alert. " * (1 if index % 2 else 4),
            "action_url": "/monitoring" if index == 0 else None,
            "is_read": index > 1,
            "created_at": ago(seconds=15 * 40**index),
        }
        for index, kind in enumerate(NotificationType)
    ]


def _activities() -> list[dict[str, Any]]:
    return [
        {
            "status_style": f"{subject}/{status}",
            "subject": subject.value,
            "subject_id": str(index),
            "subject_name": LONG if index == 1 else f"Work {index}",
            "stream_id": "s" if index % 2 else None,
            "is_new": not index,
            "lasted_ms": 720_000 if status == "recovered" else None,
            "created_at": ago(seconds=40 * index),
        }
        for subject, enums in SUBJECT_STATUSES.items()
        for index, status in enumerate(status for statuses in enums for status in statuses)
    ]


def _default_rows(entity: Entity[Any]) -> list[dict[str, Any]]:
    """Return rows for the default template, which derives from an entity's layout."""
    return [
        {
            "title": LONG if index == 1 else f"{entity.noun.capitalize()} {index + 1}",
            "note": "A note" if index % 2 else None,
            "status": status.value,
            "progress": 24.5 * index if index < 5 else None,
            "time": ago(seconds=30 * 9**index),
        }
        for index, status in enumerate(entity.statuses)
    ]


_ROWS = {
    ACTIVITIES.table: _activities,
    STREAMS.table: _streams,
    SCANS.table: _scans,
    AGENTS.table: _agents,
    ALERTS.table: _alerts,
    NOTIFICATIONS.table: _notifications,
}


def _silent() -> dict[str, Any]:
    """Return the fields of a run whose last heartbeat was an hour ago."""
    return {"reported_at": ago(seconds=3600) // 1000, "incidents": ["unreachable"]}


def ago(*, seconds: float) -> int:
    """Return the time that many seconds ago, in epoch milliseconds."""
    return round((datetime.now(UTC).timestamp() - seconds) * 1000)
