"""A view of rows that has more of them read when those that are here do not fill it."""

from collections.abc import Callable, Collection
from typing import Any, Protocol
from uuid import UUID

from components.views.lists.joined_rows import JoinedRows
from components.window.batch import Payload


class Rows(Protocol):
    """A view of rows, or a window's cursor in a shared one."""

    def full(self) -> Payload: ...

    def patch(self, dirty: Collection[UUID]) -> Payload: ...


class ReachingView:
    """Shows a view, and has `joined` read on after each payload that the view could not fill.

    Args:
        view: The rows.
        joined: Their source.
        is_short: Returns whether the view could show more rows than are here.
    """

    def __init__(self, view: Rows, joined: JoinedRows[Any], is_short: Callable[[], bool]) -> None:
        self._view = view
        self._joined = joined
        self._is_short = is_short

    @property
    def is_shared(self) -> bool:
        """See `SharedViewCursor`."""
        return bool(getattr(self._view, "is_shared", False))

    def full(self) -> Payload:
        return self._reached(self._view.full())

    def patch(self, dirty: Collection[UUID]) -> Payload:
        return self._reached(self._view.patch(dirty))

    def _reached(self, payload: Payload) -> Payload:
        if self._joined.is_cut and self._is_short():
            self._joined.reach()
        return payload
