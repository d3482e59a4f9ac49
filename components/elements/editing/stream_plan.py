"""The plan of a stream, which several people may edit at once."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from nicegui.events import GenericEventArguments

from components.elements import KEPT_JS
from components.window.live_element import LiveElement
from services.editing.streams import FieldConflict
from services.entities import GoalStatus

FIELDS: Sequence[Mapping[str, Any]] = (
    {"name": "name", "label": "Name", "kind": "text", "max": 200},
    {"name": "description", "label": "Description", "kind": "long", "max": 4000},
    {"name": "goal_status", "label": "Status", "kind": "choice"},
    {"name": "total", "label": "Goal", "kind": "number", "max": 20, "rule": "A goal is a number from 0 on."},
    {"name": "owner_id", "label": "Owner", "kind": "choice"},
    {"name": "due_on", "label": "Due", "kind": "date"},
    {"name": "tags", "label": "Tags", "kind": "tags", "max": 840, "hint": "Separated by commas"},
    {
        "name": "target_metrics",
        "label": "Target metrics",
        "kind": "metrics",
        "max": 8000,
        "hint": "name: value",
        "rule": "Write each metric on a line of its own, as name: value.",
    },
)


class StreamPlan(LiveElement, component="stream_plan.js", dependencies=[KEPT_JS]):
    """Fields of a stream; what is typed is kept in the browser until it is saved.

    Args:
        storage: Key of the browser's storage, different for each user and stream.
        writes: Whether the user may edit.
    """

    def __init__(self, *, storage: str, writes: bool) -> None:
        super().__init__()
        self.props["fields"] = list(FIELDS)
        self.props["people"] = []
        self.props["status-styles"] = GoalStatus.styles()
        self.props["storage"] = storage
        self.props["writes"] = writes

    def show_people(self, names: Mapping[UUID, str]) -> None:
        """Offer these members as owners."""
        self.props["people"] = [[str(id), name] for id, name in names.items()]

    def answer(self, conflicts: Mapping[str, FieldConflict], sentence: str = "") -> None:
        """Answer a save: with the fields that others have changed, or with why nothing was saved."""
        fields = {field: {"value": each.value, "by": each.by} for field, each in conflicts.items()}
        self.run_method("answer", fields, sentence)

    def on_save(self, handler: Callable[[Mapping[str, Any], Mapping[str, Any]], Awaitable[object]]) -> None:
        """Call `handler` with the values that the user saw and the new ones, by field; none is trusted."""

        async def told(event: GenericEventArguments) -> None:
            if isinstance(event.args, dict):
                base, changes = event.args.get("base"), event.args.get("changes")
                if isinstance(base, dict) and isinstance(changes, dict):
                    await handler(base, changes)

        self.on("save", told)

    def on_editing(self, handler: Callable[[str], object]) -> None:
        """Call `handler` with the name of a field, at most every two seconds while the user edits it."""
        names = {field["name"] for field in FIELDS}

        def told(event: GenericEventArguments) -> None:
            if event.args in names:
                handler(event.args)

        self.on("editing", told)
