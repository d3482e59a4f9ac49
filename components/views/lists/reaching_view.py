"""A view of rows that has more of them read when those that are here do not fill it."""

from collections.abc import Callable, Collection
from typing import Any, Protocol
from uuid import UUID

from components.presentation.rows import presenter
from components.views.lists.joined_rows import JoinedRows, Stored
from components.views.lists.rows import RowsView
from components.window.batch import Payload
from components.window.live_element import LiveElement
from components.window.window import Window
from services.entities import Entity, R
from services.entities.base.listing import Sort
from services.lists.query import ListQuery
from services.realtime import Delta


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


def bind_joined(
    element: LiveElement,
    window: Window,
    entity: Entity[R],
    *,
    where: Callable[[R], bool],
    stored: Stored[R],
    sort: Sort[R],
    limit: int,
) -> None:
    """Show the first `limit` rows that satisfy `where`, those of the feed and of the database beyond.

    The subscription and what is read end with the element.

    Args:
        element: The element, which takes the batches of a list.
        window: Window of the element.
        entity: Whose rows.
        where: Keeps a row if true.
        stored: The same rows of the database.
        sort: Their order.
        limit: Number of rows that are shown.
    """

    def changed(deltas: list[Delta[R]]) -> None:
        joined.take(deltas)
        binding.changed(deltas)

    binding = element.bind(window)
    subscription = window.subscribe(entity, on_change=changed, where=where)
    query: ListQuery[R] = ListQuery(spec=entity.listing, sort=sort)
    joined = JoinedRows(subscription, stored, query, on_news=binding.refresh)
    view = RowsView(joined, present=presenter(entity), key=sort.key, where=where, limit=limit)
    binding.view = ReachingView(view, joined, lambda: view.is_short_of(limit))
    element.on_delete(joined.close, subscription.close)
