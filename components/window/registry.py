"""The open windows of this process, for the System tab, the metrics and the shutdown notice."""

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol
from uuid import UUID

from components.window.flow_control import FlowControl
from services.realtime import Subscriber


class OpenWindow(Protocol):
    """What the registry's readers see of a window."""

    org_id: UUID
    session: Subscriber
    flow: FlowControl
    opened_at: datetime

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
        """Register a window; idempotent."""
        self._windows.add(window)

    def discard(self, window: OpenWindow) -> None:
        """Unregister a window; idempotent."""
        self._windows.discard(window)

    def announce_shutdown(self) -> None:
        """Tell every window that the server is shutting down."""
        for window in self:
            window.announce_shutdown()
