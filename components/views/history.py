"""The points of a progress chart: those that the database kept, and the steps of the live row since."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from components.presentation.time import epoch_ms, epoch_ms_of_second
from components.window.batch import Batch
from services.entities import Stream
from services.history.progress_history import Point
from services.realtime import Subscription


class HistoryView:
    """The points read from the database, then one for each step of the live row."""

    def __init__(self, subscription: Subscription[Any]) -> None:
        self._subscription = subscription
        self._points: list[tuple[int, float, float]] | None = None
        self._sent = 0

    def load(self, points: Sequence[Point]) -> None:
        """Take the stored history; refresh the chart afterwards."""
        self._points = [(epoch_ms(point.at) or 0, point.done, point.whole) for point in points]

    def full(self) -> Batch | None:
        if self._points is None or not self._subscription.is_loaded:
            return None
        self._append_step()
        self._sent = len(self._points)
        return {"set": {"points": {"all": self._points}, "outlook": self._outlook()}}

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        if self._points is None:
            return None
        self._append_step()
        new_points, self._sent = self._points[self._sent :], len(self._points)
        return {"set": {"more": {"points": new_points}, "outlook": self._outlook()}}

    def _append_step(self) -> None:
        """Append the progress of the live row, if it has changed."""
        assert self._points is not None
        for row in self._subscription.rows():
            at = epoch_ms(row.last_progress_at)
            if isinstance(row, Stream):
                done, whole = float(row.completed), float(row.total)
            else:
                done, whole = row.progress_percentage, 100.0
            if at is not None and (not self._points or (at > self._points[-1][0] and done != self._points[-1][1])):
                self._points.append((at, done, whole))

    def _outlook(self) -> dict[str, Any]:
        """Whether it is running, and its estimated completion."""
        for row in self._subscription.rows():
            return {"running": row.is_active, "done_at": epoch_ms_of_second(row.done_at)}
        return {"running": False, "done_at": None}
