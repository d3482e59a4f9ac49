"""Everything about one row, beside the list that it was chosen from."""

from collections.abc import Callable, Collection
from enum import StrEnum
from typing import Any, Literal, TypedDict
from uuid import UUID

from nicegui.element import Element

from components.presentation.rows import Fields, epoch_ms, present_pace, present_presence, step_name
from components.presentation.statuses import status_styles_of
from components.window.batch import Batch
from components.window.scripts import SHARED_JS
from services.entities import AcquisitionScan, AgentExecution

FactKind = Literal["text", "time", "duration", "number", "percent", "code"]


class Fact(TypedDict):
    """One labelled value: times in epoch milliseconds, durations in milliseconds; None is shown as a dash."""

    key: str
    label: str
    kind: FactKind
    value: Any


class Details(Element, component="details.js", dependencies=[SHARED_JS]):
    """The fields of one row by `present_agent_details` or `present_scan_details`; emits `live` when mounted.

    Emits `close` when the person wants it gone, and gives the focus back to where it was. Until the first batch there
    is a placeholder; an empty `reset` says that there is no such row, in the words of `gone_text`.
    """

    def __init__(self, table: str, statuses: type[StrEnum], *, noun: str, gone_text: str) -> None:
        super().__init__()
        self.props["table"] = table
        self.props["looks"] = status_styles_of(statuses)
        self.props["noun"] = noun
        self.props["gone-text"] = gone_text

    def on_close(self, handler: Callable[[], object]) -> None:
        """Call `handler` when the person closes it."""
        self.on("close", handler)


def present_agent_details(row: AgentExecution) -> Fields:
    """A run of an agent, in full."""
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
        **present_presence(row),
    }


def present_scan_details(row: AcquisitionScan) -> Fields:
    """A scan, in full."""
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
        **present_presence(row),
    }


def _fact(key: str, label: str, kind: FactKind, value: Any) -> Fact:
    return Fact(key=key, label=label, kind=kind, value=value)


def _texts(*labelled: tuple[str, str | None]) -> list[dict[str, str]]:
    return [{"label": label, "text": text} for label, text in labelled if text]


class OneRowView:
    """One row of a subscription, whole whenever it changes; an empty reset when there is none."""

    def __init__(self, is_loaded: Callable[[], bool], row: Callable[[], Fields | None]) -> None:
        self._is_loaded = is_loaded
        self._row = row

    def full(self) -> Batch | None:
        if not self._is_loaded():
            return None
        fields = self._row()
        return {"reset": {"order": ["row"], "rows": {"row": fields}} if fields else {"order": [], "rows": {}}}

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        return self.full()
