"""Live elements: custom elements whose content a view computes and a window sends."""

from collections.abc import Callable, Iterable
from typing import Any, Self
from uuid import UUID

from nicegui.element import Element

from components.window.batch import Batch, Payload
from components.window.view import View
from components.window.window import Window
from services.infra.tasks.coalescer import Coalescer
from services.realtime import Delta


class ScriptedElement(Element, dependencies=["browser/shared.js", "browser/formats.js", "browser/parts.js"]):
    """Base of the custom elements: their components may import clock and connection, formats, and small components."""


class LiveElement(ScriptedElement):
    """Base of the custom elements that show live rows.

    The browser side emits `live` once it is mounted, and offers the method `apply(batch)`. Bindings and whatever
    `on_delete` registers end with the element, by navigation or with its window.
    """

    def __init__(self) -> None:
        super().__init__()
        self._closers: list[Callable[[], None]] = []

    def bind(
        self,
        window: Window,
        view: View | None = None,
        *,
        follows_status: bool = False,
        deliver_when_hidden: bool = False,
        interval: float = 0.0,
    ) -> "LiveBinding":
        """Have `window` send what `view` computes; the view may also be set later.

        Args:
            window: The window that the element is in.
            view: Computes the payloads.
            follows_status: Whether every change of a connection status refreshes the view.
            deliver_when_hidden: Whether payloads are sent to a hidden window, too.
            interval: Minimum seconds between two patches; the first change after a pause is sent at once.
        """
        binding = LiveBinding(window, self, view, deliver_when_hidden=deliver_when_hidden, interval=interval)
        window.add(binding, follows_status=follows_status, deliver_when_hidden=deliver_when_hidden)
        self.on("live", binding.on_mounted)
        self.on_delete(binding.close)
        return binding

    def on_delete(self, *closers: Callable[[], None]) -> Self:
        """Call `closers` when the element is deleted."""
        self._closers += closers
        return self

    def apply(self, batch: Batch) -> None:
        """Show a batch in a message of its own; for what is not bound to a window."""
        self.run_method("apply", batch)

    def _handle_delete(self) -> None:
        closers, self._closers = self._closers, []
        for close in closers:
            close()
        super()._handle_delete()


class LiveBinding:
    """Binds a view to an element: collects the ids of changed rows until the window's next frame."""

    def __init__(
        self, window: Window, element: Element, view: View | None, *, deliver_when_hidden: bool, interval: float
    ) -> None:
        self.view = view
        self._window = window
        self.element = element
        self._deliver_when_hidden = deliver_when_hidden
        self._is_mounted = False
        self._is_stale = True
        self._is_due = False
        self._dirty: set[UUID] = set()
        self._pace = (
            # In all windows at the same time, so that what they share is computed once.
            Coalescer(self._mark_due, interval=lambda: interval, is_eager=True, is_aligned=True) if interval else None
        )

    def changed(self, deltas: Iterable[Delta[Any]]) -> None:
        """Mark the rows of these deltas dirty; none say that only counts have changed."""
        # A view that windows share is told of changes itself, once for all of them.
        if not getattr(self.view, "is_shared", False):
            self._dirty.update([delta.id for delta in deltas])
        if self._pace is None:
            self._mark_due()
        else:
            self._pace.schedule()

    def refresh(self) -> None:
        """Send the full view with the next frame: the filter, the order or what is known has changed."""
        self._is_stale = True
        self._window.mark_dirty(deliver_when_hidden=self._deliver_when_hidden)

    def _mark_due(self) -> None:
        self._is_due = True
        self._window.mark_dirty(deliver_when_hidden=self._deliver_when_hidden)

    def collect(self) -> tuple[int, Payload] | None:
        """See `FramePart.collect`."""
        if not self._is_mounted or self.view is None:
            return None
        if self._is_stale:
            payload = self.view.full()
            self._is_stale = payload is None
        elif self._is_due:
            payload = self.view.patch(self._dirty)
        else:
            return None
        self._is_due = False
        self._dirty = set()
        return (self.element.id, payload) if payload else None

    def preview(self) -> tuple[Element, Payload]:
        """Return the element and its whole content, without counting it as sent."""
        return self.element, self.view.full() if self.view else None

    def on_mounted(self) -> None:
        """Start: the browser has mounted the element."""
        self._is_mounted = True
        self.refresh()

    def close(self) -> None:
        """Stop sending; idempotent."""
        if self._pace is not None:
            self._pace.cancel()
        self._window.discard(self)


class _Lifetime(Element):
    """An invisible element that ends with its parent, and calls `closers` then."""

    def __init__(self, closers: Iterable[Callable[[], None]]) -> None:
        super().__init__("template")
        self._closers = tuple(closers)

    def _handle_delete(self) -> None:
        for close in self._closers:
            close()
        super()._handle_delete()


def on_slot_delete(*closers: Callable[[], None]) -> None:
    """Call `closers` when the slot that is being built is deleted, by navigation or with its window."""
    _Lifetime(closers)
