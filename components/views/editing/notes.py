"""The notes of a stream as one window's editor takes them: a text, then the updates since, and the carets of others."""

from collections.abc import Callable, Collection
from typing import Any
from uuid import UUID

from components.window.batch import Batch
from services.notes.documents import Update
from services.notes.hub import DocumentWatch
from services.realtime import CaretSignal


class NotesView:
    """What a browser has of a document, and what it lacks; `watch` is the window's hold on it.

    Args:
        is_wanted: Whether the browser shows the document, or waits for what it has sent.
    """

    def __init__(self, is_wanted: Callable[[], bool] = lambda: True) -> None:
        self.watch: DocumentWatch | None = None
        self._is_wanted = is_wanted
        self._known: int | None = None
        self._carets: dict[UUID, CaretSignal] = {}

    def synced(self, version: int | None) -> None:
        """Take the version that the browser has; None for none that can be gone on from."""
        self._known = version

    def moved(self, caret: CaretSignal) -> None:
        """Take the place of a caret; only the latest of each client is told."""
        self._carets[caret.client] = caret

    def full(self) -> Batch | None:
        """See `View.full`; None before the user may read and the browser has said what it has."""
        return self._frame(is_due=True)

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        """See `View.patch`."""
        return self._frame(is_due=False)

    def _frame(self, *, is_due: bool) -> Batch | None:
        if self.watch is None or not self.watch.is_authorized or not self._is_wanted():
            return None
        document = self.watch.document
        fields: dict[str, Any] = {}
        updates = None if self._known is None else document.updates_since(self._known)
        if updates is None:
            fields["reset"] = {"text": str(document.text), "version": document.version}
        elif updates or is_due:
            fields |= {"from": self._known, "updates": [update_fields(each) for each in updates]}
        self._known = document.version
        if self._carets:
            fields["carets"] = [
                {
                    "client": str(each.client),
                    "user": str(each.user_id),
                    "version": each.version,
                    "anchor": each.anchor,
                    "head": each.head,
                }
                for each in self._carets.values()
            ]
            self._carets = {}
        return {"set": {"notes": fields}} if fields else None


def update_fields(update: Update) -> list[Any]:
    """Return an update as browsers read it."""
    return [str(update.client), update.number, str(update.author), update.raw]
