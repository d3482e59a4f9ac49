"""The open windows of this process, for the System tab, the metrics and the shutdown notice."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

from components.window.flow_control import FlowControl
from services.realtime import Subscriber

MAX_UNATTACHED = 16
"""Windows of one session that no browser has come for; the oldest make room for more."""
MAX_PREPARED = 4
"""Windows of one session whose content is built before a browser has come for them."""
MIN_WAIT = timedelta(seconds=2)
"""Time that a browser has in any case to load the page's scripts and to come for its window."""


class OpenWindow(Protocol):
    """What the registry's readers see of a window."""

    org_id: UUID
    session: Subscriber
    flow: FlowControl
    opened_at: datetime
    was_attached: bool
    """Whether a browser has ever come for it."""

    def drop(self) -> None:
        """Delete the window, for which no browser has come."""
        ...

    @property
    def is_connected(self) -> bool:
        """Whether a browser is connected."""
        ...

    @property
    def path(self) -> str:
        """The path that the window shows, without parameters."""
        ...

    def announce_shutdown(self) -> None:
        """Tell the browser that the server is shutting down."""
        ...


class WindowRegistry:
    """Every open window, and how many frames were sent to them; one per process."""

    def __init__(self) -> None:
        self.frames_sent = 0
        self._windows: set[OpenWindow] = set()

    def __iter__(self) -> Iterator[OpenWindow]:
        return iter(list(self._windows))

    def __len__(self) -> int:
        return len(self._windows)

    def add(self, window: OpenWindow) -> None:
        """Register a window, and drop windows of its session that wait in vain; idempotent.

        A program that fetches pages and opens no socket would fill the memory otherwise.
        """
        self._windows.add(window)
        latest = datetime.now(UTC) - MIN_WAIT
        for each in sorted(self._waiting(window.session), key=lambda each: each.opened_at)[:-MAX_UNATTACHED]:
            if each.opened_at < latest:
                each.drop()

    def may_prepare(self, session: Subscriber) -> bool:
        """Whether to build the content of a session's newest window before a browser comes for it."""
        return len(self._waiting(session)) <= MAX_PREPARED

    def _waiting(self, session: Subscriber) -> list[OpenWindow]:
        return [each for each in self if each.session is session and not each.was_attached]

    def discard(self, window: OpenWindow) -> None:
        """Unregister a window; idempotent."""
        self._windows.discard(window)

    def announce_shutdown(self) -> None:
        """Tell every window that the server is shutting down."""
        for window in self:
            window.announce_shutdown()
