"""Tells the components of a window who takes care of which run or alert."""

from nicegui.events import GenericEventArguments

from components.elements.handling import HANDLING_JS
from components.elements.handling.handled_view import handled_cursor
from components.views.shared import SharedViewCursor
from components.window.live_element import LiveElement
from components.window.window import Window
from services.entities import THREADS, Handling, Thread
from services.realtime import Delta, Subscription


class HandledRows(LiveElement, component="handled_rows.js", dependencies=[HANDLING_JS]):
    """Feeds every component of `handling.js` in its window, and shows nothing itself.

    Emits `wanted` with whether the window has such components; only then they are told.

    Args:
        window: The window.
    """

    def __init__(self, window: Window) -> None:
        super().__init__()
        self.props["styles"] = Handling.styles()
        self._window = window
        self._binding = self.bind(window)
        self._subscription: Subscription[Thread] | None = None
        self._cursor: SharedViewCursor | None = None
        self.on("wanted", self._want)
        self.on_delete(self._stop)

    def _want(self, event: GenericEventArguments) -> None:
        if event.args is not True:
            self._stop()
        elif self._subscription is None:
            self._subscription = self._window.subscribe(THREADS, on_change=self._changed)
            self._cursor = self._binding.view = handled_cursor(self._subscription)
            self._binding.refresh()

    def _changed(self, deltas: list[Delta[Thread]]) -> None:
        # Most changes are of messages.
        if self._cursor is not None and self._cursor.has_news():
            self._binding.changed(deltas)

    def _stop(self) -> None:
        if self._subscription is not None:
            self._subscription.close()
        self._subscription = self._cursor = self._binding.view = None
