"""Reads that follow changes while somebody looks: a frame part, so that a hidden window reads nothing."""

from collections.abc import Awaitable, Callable

from components.window.batch import Payload
from components.window.window import Window
from services.errors import LivewatchError
from services.infra.tasks.coalescer import Reloads


class VisibleReloads:
    """Runs `read` once it is started, when it is asked to, and in the next frame after `mark_due`. End with `close`.

    Args:
        window: The window that shows what is read; when it comes back into sight, everything may be outdated.
        read: Reads and shows; one that raises LivewatchError is tried again.
        name: Name of the task.
        on_failure: Called with the error of each failure.
        interval: Minimum seconds between two reads.
    """

    def __init__(
        self,
        window: Window,
        read: Callable[[], Awaitable[object]],
        *,
        name: str,
        on_failure: Callable[[LivewatchError], object],
        interval: float = 0.0,
    ) -> None:
        self._window = window
        self._is_started = self._is_due = False
        self._reloads = Reloads(read, name=name, on_failure=on_failure, interval=interval)
        window.add(self)

    def start(self) -> None:
        """Read for the first time: there is an element that shows it."""
        self._is_started = True
        self._reloads.request()

    def request(self) -> None:
        """Read once more, since something else is asked for; nothing before `start`."""
        if self._is_started:
            self._reloads.request()

    def mark_due(self) -> None:
        """Read in the next frame: something has changed."""
        if not self._is_due:
            self._is_due = True
            self._window.mark_dirty()

    def close(self) -> None:
        """Stop reading; idempotent."""
        self._reloads.close()
        self._window.discard(self)

    def collect(self) -> tuple[int, Payload] | None:
        """See `FramePart`."""
        if self._is_due and self._is_started:
            self._is_due = False
            self._reloads.request()
        return None

    def refresh(self) -> None:
        """See `FramePart`."""
        self._is_due = True
