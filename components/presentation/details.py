"""One row in full, as the fields of the details beside a list."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, Literal, TypedDict

from components.presentation.rows import Fields, present_pace, present_reachability, step_name
from components.presentation.time import epoch_ms
from services.entities import AGENTS, SCANS, AcquisitionScan, AgentExecution, Entity, R

FactKind = Literal["text", "time", "duration", "number", "percent", "code"]
HIDDEN_FIELDS = {"org_id", "version", "status", "ingest_key", "heartbeat_interval", "rate_window", "progress_interval"}
"""Fields that the details derived from a model leave out."""


class Fact(TypedDict):
    """One labelled value: times in epoch milliseconds, durations in milliseconds; None is shown as a dash."""

    key: str
    label: str
    kind: FactKind
    value: Any


def present_agent_details(row: AgentExecution) -> Fields:
    """An agent execution in full."""
    return {
        "title": row.agent_name,
        "status": row.status.value,
        "stream_id": str(row.stream_id),
        "running_since": epoch_ms(row.started_at) if row.completed_at is None else None,
        "facts": [
            _fact("agent_id", "Agent", "code", row.agent_id),
            _fact("id", "Run", "code", str(row.id)),
            _fact("created_at", "Created", "time", epoch_ms(row.created_at)),
            _fact("started_at", "Started", "time", epoch_ms(row.started_at)),
            _fact("completed_at", "Ended", "time", epoch_ms(row.completed_at)),
            _fact("duration_ms", "Duration", "duration", row.duration_ms),
        ],
        "texts": _texts(("Error", row.error), ("Output", row.output_summary), ("Input", row.input_summary)),
        "steps": [],
        **present_reachability(row),
    }


def present_scan_details(row: AcquisitionScan) -> Fields:
    """A scan in full."""
    steps = [step_name(step) for step in row.steps]
    return {
        "title": row.name,
        "status": row.status.value,
        "stream_id": str(row.stream_id) if row.stream_id else None,
        "running_since": epoch_ms(row.started_at) if row.completed_at is None else None,
        "percentage": row.progress_percentage,
        "facts": [
            _fact("id", "Scan", "code", str(row.id)),
            _fact("targets_identified", "Targets identified", "number", row.targets_identified),
            _fact("targets_analyzed", "Targets analyzed", "number", row.targets_analyzed),
            _fact("started_at", "Started", "time", epoch_ms(row.started_at)),
            _fact("completed_at", "Ended", "time", epoch_ms(row.completed_at)),
            _fact("last_progress_at", "Last progress", "time", epoch_ms(row.last_progress_at)),
        ],
        "texts": _texts(("Error", row.error)),
        "steps": steps,
        "step": steps.index(row.current_step) if row.current_step in steps else None,
        "last_progress_at": epoch_ms(row.last_progress_at),
        **present_pace(row),
        **present_reachability(row),
    }


DETAIL_PRESENTERS: Mapping[str, Callable[[Any], Fields]] = {
    AGENTS.table: present_agent_details,
    SCANS.table: present_scan_details,
}
"""By table: the entities whose details are composed by hand."""


def detail_presenter(entity: Entity[R]) -> Callable[[R], Fields]:
    """The function that makes the details of an entity's rows; the same object at each call."""
    return DETAIL_PRESENTERS.get(entity.table) or _model_presenter(entity)


@cache
def _model_presenter(entity: Entity[Any]) -> Callable[[Any], Fields]:
    """Make details from the entity's layout and the fields of its model."""
    layout = entity.layout
    names = [name for name in entity.model.model_fields if name not in HIDDEN_FIELDS]

    def present(row: Any) -> Fields:
        status = layout.status(row)
        return {
            "title": layout.title(row),
            "status": status.value if status else None,
            "stream_id": None,
            "running_since": None,
            "percentage": layout.progress(row),
            "facts": [_fact_of(name, getattr(row, name)) for name in names],
            "texts": [],
            "steps": [],
        }

    return present


def _fact_of(name: str, value: Any) -> Fact:
    label = name.replace("_", " ").capitalize()
    if isinstance(value, datetime):
        return _fact(name, label, "time", epoch_ms(value))
    if isinstance(value, Enum):
        return _fact(name, label, "text", value.value)
    if isinstance(value, int | float | None) and not isinstance(value, bool):
        return _fact(name, label, "number", value)
    return _fact(name, label, "code" if name == "id" else "text", str(value))


def _fact(key: str, label: str, kind: FactKind, value: Any) -> Fact:
    return Fact(key=key, label=label, kind=kind, value=value)


def _texts(*labelled: tuple[str, str | None]) -> list[dict[str, str]]:
    return [{"label": label, "text": text} for label, text in labelled if text]
