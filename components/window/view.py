"""What a window collects from: frame parts, and the views behind live elements."""

from collections.abc import Collection
from typing import Protocol
from uuid import UUID

from components.window.batch import Payload


class FramePart(Protocol):
    """A contributor to a window's frames."""

    def collect(self) -> tuple[int, Payload] | None:
        """Return an element's id and its payload, or None when there is nothing to send."""

    def refresh(self) -> None:
        """Mark everything stale: the window has missed changes, or all may differ."""


class View(Protocol):
    """The content of a live element, as payloads."""

    def full(self) -> Payload:
        """Return the whole content, for an element that was mounted or is stale; None while it is not known."""

    def patch(self, dirty: Collection[UUID]) -> Payload:
        """Return what differs since the last payload, given the ids of the rows that changed."""
