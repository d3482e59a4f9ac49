"""How many rows match a saved view, as one window sees it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic
from uuid import UUID

from components.views.lists.controls import current_epoch
from components.views.lists.query_counts import Counted, QueryCounts
from services.entities import R, RowGroup
from services.lists.query import ListQuery
from services.realtime import Delta, Subscription
from services.realtime.rows import Rows

COUNT_INTERVAL_SECONDS = 30.0
"""Time between two counts that only the database can make, while rows change."""


class MatchingRows(Generic[R]):
    """The rows of a feed that match a query, kept up to date for all windows that show their number."""

    def __init__(self, rows: Rows[R], query: ListQuery[R]) -> None:
        self._rows = rows
        self._query = query
        self._matching = {row.id for row in rows if query.matches(row)}
        self._dirty: set[UUID] = set()
        self._epoch = current_epoch()

    def mark(self, id: UUID) -> None:
        """Mark a row dirty."""
        self._dirty.add(id)

    def touch(self) -> None:
        """See `Markable`."""

    def count(self) -> int:
        """Return their number now."""
        epoch = current_epoch()
        if self._query.time_dependent and epoch != self._epoch:
            self._epoch = epoch
            self._matching = {row.id for row in self._rows if self._query.matches(row)}
        for id in self._dirty:
            row = self._rows.get(id)
            if row is not None and self._query.matches(row):
                self._matching.add(id)
            else:
                self._matching.discard(id)
        self._dirty.clear()
        return len(self._matching)


class ViewCount(Generic[R]):
    """The number of rows that match one query: of the feed if it holds all, else of the database.

    Args:
        subscribe: Opens the subscription to the rows, with what is called after changes.
        stored: What counts in the database.
        query: The query.
        on_news: Called when the number may have changed.
    """

    def __init__(
        self,
        subscribe: Callable[[Callable[[list[Delta[R]]], None]], Subscription[R]],
        stored: Counted[R],
        query: ListQuery[R],
        *,
        on_news: Callable[[], object],
    ) -> None:
        self._query = query
        self._on_news = on_news
        self._counts = QueryCounts(stored, query, on_news=on_news, interval=COUNT_INTERVAL_SECONDS)
        self._subscription = subscribe(self._changed)

    def close(self) -> None:
        """End; idempotent."""
        self._counts.close()
        self._subscription.close()

    def fields(self) -> dict[str, Any]:
        """Return `count`, None while it is not known, and `is_exact`; where it is not, there are more."""
        held = self._subscription
        if not held.is_loaded or held.is_denied:
            return {"count": None, "is_exact": True}
        if not held.is_cut:
            return {"count": self._count_held(), "is_exact": True}
        groups: Sequence[RowGroup[R]] | None = held.groups
        is_exact = True
        if not self._query.has_chips_only:
            groups, is_exact = self._counts.groups, self._counts.is_exact
        return {"count": None if groups is None else _count(groups, self._query.chips), "is_exact": is_exact}

    def _count_held(self) -> int:
        shared = self._subscription.shared(
            (MatchingRows, self._query.key), lambda rows: MatchingRows(rows, self._query)
        )
        if shared is not None:
            self._shared = shared  # kept, as the feed forgets what nobody keeps
            return shared.count()
        return sum(1 for row in self._subscription.rows() if self._query.matches(row))

    def _changed(self, _: list[Delta[R]]) -> None:
        self._counts.outdate()
        self._on_news()


def _count(groups: Iterable[RowGroup[R]], chips: ListQuery[R]) -> int:
    return sum(group.count for group in groups if chips.matches(group.example))
