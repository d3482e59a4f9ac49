"""URL of a window as the state of its page, restored by back, forward and links."""

from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit

from components.window.live_element import on_slot_delete
from components.window.window import Window

OnChange = Callable[[Mapping[str, str]], None]


class UrlState:
    """Path and query parameters of one window."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._router = window.client.sub_pages_router
        self._listeners: list[tuple[str, OnChange]] = []
        self._followers: list[Callable[[], object]] = []
        self._router.on_path_changed(self._changed)

    @property
    def path(self) -> str:
        """Path without parameters."""
        return urlsplit(self._router.current_path).path

    @property
    def address(self) -> str:
        """Path with parameters."""
        return self._router.current_path

    @property
    def params(self) -> dict[str, str]:
        """Parameters by name; the last value of a repeated one."""
        return dict(parse_qsl(urlsplit(self._router.current_path).query))

    def follow(self, handler: Callable[[], object]) -> None:
        """Call `handler` after every change of path or parameters, as long as the window lives."""
        self._followers.append(handler)

    def listen(self, handler: OnChange) -> None:
        """Call `handler` with the parameters after back or forward on this page, until the current slot is deleted."""
        listener = (self.path, handler)
        self._listeners.append(listener)
        on_slot_delete(lambda: self._listeners.remove(listener))

    def set(self, params: Mapping[str, str], *, known: tuple[str, ...], is_new: bool) -> None:
        """Write `params` into the URL.

        Args:
            params: The new parameters.
            known: Names of the parameters to replace; the others are kept.
            is_new: Whether to add a history entry instead of replacing the current one.
        """
        kept = {name: value for name, value in self.params.items() if name not in known}
        query = urlencode(kept | dict(params))
        path = f"{self.path}?{query}" if query else self.path
        if path != self._router.current_path:
            self._router.current_path = path
            self._window.set_url(path, is_new=is_new)
            self._tell()

    def _changed(self, path: str) -> None:
        self._tell()
        parts = urlsplit(path)
        for where, handler in list(self._listeners):
            if where == parts.path:
                handler(dict(parse_qsl(parts.query)))

    def _tell(self) -> None:
        for handler in self._followers:
            handler()
