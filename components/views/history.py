"""What a progress chart shows: the points that the database kept, and the steps of the live row since."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from components.presentation.rows import epoch_ms, to_seconds
from components.window.batch import Batch
from services.entities import Stream
from services.history.progress_history import Point
from services.realtime import Subscription


class HistoryView:
    """The points read from the database, then each step of the live row."""

    def __init__(self, subscription: Subscription[Any]) -> None:
        self._subscription = subscription
        self._points: list[tuple[int, float, float]] | None = None
        self._sent = 0

    def load(self, points: Sequence[Point]) -> None:
        """Take the history; refresh the chart afterwards."""
        self._points = [(epoch_ms(point.at) or 0, point.done, point.whole) for point in points]

    def full(self) -> Batch | None:
        if self._points is None or not self._subscription.is_loaded:
            return None
        self._step()
        self._sent = len(self._points)
        return {"set": {"points": {"all": self._points}, "facts": self._facts()}}

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        if self._points is None:
            return None
        self._step()
        more, self._sent = self._points[self._sent :], len(self._points)
        return {"set": {"more": {"points": more}, "facts": self._facts()}}

    def _step(self) -> None:
        """Add where the row stands now, if that is news."""
        assert self._points is not None
        for row in self._subscription.rows():
            at = epoch_ms(row.last_progress_at)
            if isinstance(row, Stream):
                done, whole = float(row.completed), float(row.total)
            else:
                done, whole = row.progress_percentage, 100.0
            if at is not None and (not self._points or (at > self._points[-1][0] and done != self._points[-1][1])):
                self._points.append((at, done, whole))

    def _facts(self) -> dict[str, Any]:
        for row in self._subscription.rows():
            return {"running": row.is_active, "done_at": to_seconds(row.done_at)}
        return {"running": False, "done_at": None}
