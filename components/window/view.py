"""What a window collects from: frame parts, and the views behind live elements."""

from collections.abc import Callable, Collection
from typing import Protocol, runtime_checkable
from uuid import UUID

from nicegui.element import Element

from components.window.batch import Batch, Payload


class FramePart(Protocol):
    """A contributor to a window's frames."""

    def collect(self) -> tuple[int, Payload] | None:
        """Return an element's id and its payload, or None when there is nothing to send."""

    def refresh(self) -> None:
        """Mark everything stale: the window has missed changes, or all may differ."""


@runtime_checkable
class Previewed(Protocol):
    """A frame part of one element whose whole content can be had before a browser has come."""

    element: Element

    def preview(self) -> tuple[Element, Payload]:
        """Return the element and its whole content, without counting it as sent."""


class View(Protocol):
    """The content of a live element, as payloads."""

    def full(self) -> Payload:
        """Return the whole content, for an element that was mounted or is stale; None while it is not known."""

    def patch(self, dirty: Collection[UUID]) -> Payload:
        """Return what differs since the last payload, given the ids of the rows that changed."""


Link = Callable[[str], str]
"""Adds the prefix of a proxy to a path of the app."""


@runtime_checkable
class FirstHtml(Protocol):
    """A custom element that is part of the first paint."""

    id: int

    def first_html(self, link: Link, batch: Batch | None) -> str:
        """Return the element as HTML, all texts escaped, of the size that it will have.

        Args:
            link: Makes a link of a path.
            batch: The element's content; None while it is not known, which must not look like an empty list.
        """
