"""The address of a window: its parameters are what the page shows, also after back, forward and a pasted link."""

from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit

from nicegui import ui

from components.window.window import Window, end_with

OnChange = Callable[[Mapping[str, str]], None]


class UrlState:
    """One per window. Whoever shows something by the address listens for what back and forward make of it."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._router = window.client.sub_pages_router
        self._listeners: list[tuple[str, OnChange]] = []
        self._router.on_path_changed(self._changed)

    @property
    def path(self) -> str:
        """Where the window is, without parameters."""
        return urlsplit(self._router.current_path).path

    @property
    def params(self) -> dict[str, str]:
        """The parameters; of one that is given twice, the last."""
        return dict(parse_qsl(urlsplit(self._router.current_path).query))

    def listen(self, element: ui.element, handler: OnChange) -> None:
        """Call `handler` with the parameters when a person goes back or forward on this page; ends with `element`."""
        listener = (self.path, handler)
        self._listeners.append(listener)
        end_with(element, lambda: self._listeners.remove(listener))

    def set(self, params: Mapping[str, str], *, known: tuple[str, ...], is_new: bool) -> None:
        """Say `params` in the address, in place of those called `known`; others stay."""
        kept = {name: value for name, value in self.params.items() if name not in known}
        query = urlencode(kept | dict(params))
        path = f"{self.path}?{query}" if query else self.path
        if path != self._router.current_path:
            self._router.current_path = path
            self._window.go(path, is_new=is_new)

    def _changed(self, path: str) -> None:
        parts = urlsplit(path)
        for where, handler in list(self._listeners):
            if where == parts.path:
                handler(dict(parse_qsl(parts.query)))
