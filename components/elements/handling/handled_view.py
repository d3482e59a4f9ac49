"""Who takes care of which run or alert, by the id of the row: the same in all windows of an organisation."""

from collections.abc import Collection
from typing import Any, Self
from uuid import UUID

from components.presentation.time import epoch_ms
from components.views.shared import RowSource, SharedView, SharedViewCursor, shared_by
from components.window.batch import Batch, RowFields
from services.entities import Handling, Thread
from services.realtime import Subscription
from services.text import visible_name

OPEN = {"handling": Handling.OPEN.value}


class HandledView:
    """The rows that somebody takes care of or has; a patch says which are open again.

    Fields: `handling`, `name` of the person, and `until` when a snooze lasts, in epoch milliseconds.

    Args:
        source: The threads.
    """

    def __init__(self, source: RowSource[Thread]) -> None:
        self._source = source
        self._sent: RowFields = {}
        self._rows: dict[UUID, str] = {}
        """The rows by their threads."""

    def resume_from(self, other: Self) -> None:
        """See `Shareable`."""
        self._sent, self._rows = other._sent, other._rows

    def full(self) -> Batch | None:
        if not self._source.is_loaded and not self._source.is_denied:
            return None
        threads = [thread for thread in self._source.rows() if thread.handling is not Handling.OPEN]
        self._rows = {thread.id: str(thread.subject_id) for thread in threads}
        self._sent = {str(thread.subject_id): _handled(thread) for thread in threads}
        return {"reset": {"order": list(self._sent), "rows": self._sent}}

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        changed: RowFields = {}
        for id in dirty:
            thread = self._source.get(id)
            if thread is not None and thread.handling is not Handling.OPEN:
                row = self._rows[id] = str(thread.subject_id)
                handled = _handled(thread)
                if self._sent.get(row) != handled:
                    self._sent[row] = changed[row] = handled
            elif (released := self._rows.pop(id, None)) is not None:
                del self._sent[released]
                changed[released] = OPEN
        return {"set": changed} if changed else None


def handled_cursor(subscription: Subscription[Thread]) -> SharedViewCursor:
    """Return a window's position in the view that it shares with the others of the organisation."""

    def find() -> SharedView | None:
        return subscription.shared(HandledView, shared_by(HandledView))

    return SharedViewCursor(find, HandledView(subscription))


def _handled(thread: Thread) -> dict[str, Any]:
    return {
        "handling": thread.handling.value,
        "name": visible_name(thread.handler_name or ""),
        "until": epoch_ms(thread.snoozed_until),
    }
