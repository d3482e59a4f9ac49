"""The plan of a stream as an element edits it, and what people changed of it."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any
from uuid import UUID

from components.presentation.time import epoch_ms
from components.window.batch import Batch
from services.editing.streams import FIELDS
from services.entities import Edit, GoalStatus, Stream
from services.realtime import Delta, Subscription
from services.text import visible_name

MAX_SHOWN = 50


class PlanView:
    """The editable fields of one stream, and who edits which."""

    def __init__(self, streams: Subscription[Stream]) -> None:
        self.editors: dict[str, str] = {}
        """Names of those who edit a field now, by field."""
        self._streams = streams
        self._sent: dict[str, Any] = {}

    def full(self) -> Batch | None:
        """See `View.full`."""
        self._sent = {}
        return self.patch(())

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        """See `View.patch`."""
        rows = self._streams.rows()
        if not rows:
            return None
        values = rows[0].model_dump(mode="json", include=set(FIELDS))
        state = {"row": values, "editors": dict(self.editors)}
        changed = {key: value for key, value in state.items() if value != self._sent.get(key)}
        self._sent = state
        return {"set": changed} if changed else None


class EditsView:
    """The edits of one stream, the latest first.

    Args:
        names: Members of the organisation by id, which may change.
    """

    def __init__(self, names: Mapping[UUID, str]) -> None:
        self.edits: dict[UUID, Edit] = {}
        self._names = names
        self._is_loaded = False

    def load(self, edits: Iterable[Edit]) -> None:
        """Take the edits that were read."""
        self.edits |= {edit.id: edit for edit in edits}
        self._is_loaded = True

    def changed(self, deltas: Iterable[Delta[Edit]]) -> None:
        """Take new edits."""
        for delta in deltas:
            if delta.new:
                self.edits[delta.id] = delta.new

    def full(self) -> Batch | None:
        """See `View.full`."""
        if not self._is_loaded:
            return None
        undone = {edit.undoes for edit in self.edits.values()}
        latest = sorted(self.edits.values(), key=lambda edit: edit.version, reverse=True)[:MAX_SHOWN]
        rows = [
            {
                "id": str(edit.id),
                "at": epoch_ms(edit.created_at),
                "name": visible_name(self._names.get(edit.actor_id, edit.actor_name)),
                "what": FIELDS.get(edit.field, edit.field),
                "before": self._shown(edit.field, edit.before),
                "after": self._shown(edit.field, edit.after),
                "undoes": edit.undoes is not None,
                "undone": edit.id in undone,
            }
            for edit in latest
        ]
        return {"set": {"edits": {"all": rows}}}

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        """See `View.patch`."""
        return self.full()

    def _shown(self, field: str, value: Any) -> str:
        if value is None or value in ([], {}, ""):
            return "nothing"
        if field == "owner_id":
            return next((name for id, name in self._names.items() if str(id) == value), "a former member")
        if field == "goal_status" and value in GoalStatus.__members__.values():
            return GoalStatus(value).style.label  # type: ignore[call-arg]
        if isinstance(value, list):
            return ", ".join(str(each) for each in value)
        if isinstance(value, dict):
            return ", ".join(f"{name}: {each}" for name, each in value.items())
        return f"{value:g}" if isinstance(value, float) else str(value)
