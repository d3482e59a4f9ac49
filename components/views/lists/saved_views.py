"""The saved views of one window's person and organisation."""

from collections.abc import Callable
from urllib.parse import urlencode

from components.window.window import Window
from services.entities import OWN_VIEWS, SHARED_VIEWS, OwnView, SharedView
from services.lists.saved_views import Listed
from services.text import folded

View = OwnView | SharedView


class SavedViews:
    """Follows the saved views, as long as the window lives."""

    def __init__(self, window: Window) -> None:
        self._listeners: list[Callable[[], object]] = []
        self._own = window.subscribe(OWN_VIEWS, on_change=self._changed, on_status=self._changed)
        self._shared = window.subscribe(SHARED_VIEWS, on_change=self._changed, on_status=self._changed)

    @property
    def is_loaded(self) -> bool:
        """Whether the views are known; there may be none."""
        return self._own.is_loaded and self._shared.is_loaded

    def all(self) -> list[View]:
        """Return every view, by name, a person's own before those of the organisation."""
        views: list[View] = [*self._own.rows(), *self._shared.rows()]
        return sorted(views, key=lambda view: (isinstance(view, SharedView), folded(view.name), view.id))

    def of(self, listed: Listed) -> list[View]:
        """Return the views of a list."""
        return [view for view in self.all() if view.list == listed.table]

    def default_of(self, listed: Listed) -> View | None:
        """Return what a list shows without parameters, the person's own choice first; None for everything."""
        return next((view for view in self.of(listed) if view.is_default), None)

    def listen(self, handler: Callable[[], object]) -> Callable[[], None]:
        """Call `handler` after every change, until the returned function is called, which is idempotent."""
        self._listeners.append(handler)

        def stop() -> None:
            if handler in self._listeners:
                self._listeners.remove(handler)

        return stop

    def _changed(self, _: object) -> None:
        for listener in list(self._listeners):
            listener()


def address_of(listed: Listed, view: View) -> str:
    """Return the path of a view with its parameters."""
    query = urlencode({name: str(value) for name, value in view.query.items()})
    return f"{listed.path}?{query}" if query else listed.path
