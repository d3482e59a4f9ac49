"""List with controls, which share one query and one subscription."""

from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from typing import Generic
from uuid import UUID

from nicegui.events import GenericEventArguments

from components.elements.figures.counters import COUNT_SECONDS
from components.elements.lists.list_controls import ListControls
from components.elements.lists.live_list import LiveList, unchanged
from components.presentation.rows import presenter
from components.views.controls import ControlsView, Labels, current_epoch
from components.views.rows import RowsView
from components.views.shared import AllRows, SharedView, SharedViewCursor, shared_by
from components.window.window import Window
from services.entities import R
from services.lists.query import ListQuery
from services.realtime import Delta, FeedStatus


class QueryList(Generic[R]):
    """Binds a live list and its controls to the rows that match `where` and the query.

    The subscription ends with the list. Windows with the same query share one view until their user scrolls.

    Args:
        window: Window of both elements.
        controls: Element that shows the query and the counts.
        element: Element that shows the rows; must be created with `pages=True`.
        query: Initial query.
        where: Filter applied before the query; prevents sharing.
        labels: Functions that label the values of a facet, by the facet's name; prevents sharing of the controls.
    """

    def __init__(
        self,
        window: Window,
        controls: ListControls,
        element: LiveList,
        *,
        query: ListQuery[R],
        where: Callable[[R], bool] | None = None,
        labels: Labels | None = None,
    ) -> None:
        self.element = element
        self._where = where
        self._labels = labels
        self._present = presenter(element.entity)
        self._rows_binding = element.bind(window)
        self._controls_binding = controls.bind(window, interval=COUNT_SECONDS)
        self._subscription = window.subscribe(element.entity, on_change=self._changed, on_status=self._recheck)
        self._controls_view = ControlsView(self._subscription, query, where, labels)
        self._rows_view = RowsView(
            self._subscription,
            present=self._present,
            key=query.sort.key,
            where=self._passes,
            fold=_fold_of(query),
            is_volatile=query.sort.is_volatile,
        )
        self._rows_view.is_filtered = not query.is_everything
        self._rows_binding.view = rows = SharedViewCursor(self._shared_rows, self._rows_view)
        self._controls_binding.view = facets = SharedViewCursor(self._shared_controls, self._controls_view)
        self._cursors = (rows, facets)
        element.on("scroll", self._on_scroll)
        element.on("settle", self._on_settle)
        element.on("unfold", self._on_unfold)
        element.on_delete(self._controls_binding.close, self._subscription.close)

    def show(self, query: ListQuery[R]) -> None:
        """Apply another query and show its first rows, none of them chosen."""
        self.element.clear_chosen()
        self._controls_view.query = query
        rows = self._rows_view
        rows.is_filtered = not query.is_everything
        rows.key, rows.is_volatile, rows.folds.key = query.sort.key, query.sort.is_volatile, _fold_of(query)
        rows.scroll(0, is_read=False)
        rows.settle()
        self._controls_binding.refresh()
        self._rows_binding.refresh()

    def matching_ids(self) -> list[UUID] | None:
        """Return the ids of the held rows that match the query; None if `chosen_values` alone says which do."""
        query = self._controls_view.query
        if self._where is None and not query.search.strip() and not query.has_selects:
            return None
        return self.shown_ids()

    def chosen_values(self) -> Mapping[str, frozenset[str]]:
        """Return the chosen values by facet."""
        return self._controls_view.query.chosen

    def shown_ids(self) -> list[UUID]:
        """Return the ids of the rows that match the query, scrolled into view or not."""
        return [row.id for row in self._subscription.rows() if self._passes(row)]

    def relabel(self) -> None:
        """Send the controls again, after the results of `labels` have changed."""
        self._controls_binding.refresh()

    def _passes(self, row: R) -> bool:
        return (self._where is None or self._where(row)) and self._controls_view.query.matches(row)

    def _changed(self, deltas: list[Delta[R]]) -> None:
        self._rows_binding.changed(deltas)
        self._controls_binding.changed(deltas)

    def _recheck(self, _: FeedStatus) -> None:
        """Filter all rows again at each probe, if the values of facets change with time alone."""
        if self._controls_view.query.spec.time_dependent:
            rows, epoch = self._subscription.rows(), current_epoch()
            for cursor in self._cursors:
                cursor.recheck((row.id for row in rows), epoch)
            self._changed(unchanged(rows))

    def _shared_rows(self) -> SharedView | None:
        """Return the view that windows with the same query share while they show the first rows."""
        query = self._controls_view.query
        rows = self._rows_view
        if self._where is not None or query.sort.is_volatile or rows.is_read or rows.first or rows.folds.opened:
            return None

        def make(source: AllRows[R]) -> RowsView[R]:
            view = RowsView(
                source, present=self._present, key=query.sort.key, where=query.matches, fold=_fold_of(query)
            )
            view.is_filtered = not query.is_everything
            return view

        return self._subscription.shared((self._present, query.key), shared_by(make))

    def _shared_controls(self) -> SharedView | None:
        query = self._controls_view.query
        if self._where is not None or self._labels:
            return None

        def make(source: AllRows[R]) -> ControlsView[R]:
            return ControlsView(source, query, None)

        return self._subscription.shared(query.key, shared_by(make))

    def _on_scroll(self, event: GenericEventArguments) -> None:
        first, is_reading = event.args.get("first"), event.args.get("reading")
        if not isinstance(first, int) or not isinstance(is_reading, bool):
            return
        was_reading, has_moved = self._rows_view.is_read, first != self._rows_view.first
        self._rows_view.scroll(first, is_read=is_reading)
        if has_moved or (was_reading and not is_reading):
            self._rows_binding.refresh()

    def _on_settle(self) -> None:
        self._rows_view.scroll(0, is_read=False)
        self._rows_view.settle()
        self._rows_binding.refresh()

    def _on_unfold(self, event: GenericEventArguments) -> None:
        with suppress(ValueError):
            row, fold = self._subscription.get(UUID(str(event.args))), self._rows_view.folds.key
            if row and fold:
                self._rows_view.folds.opened.add(fold(row))
                self._rows_binding.refresh()


def _fold_of(query: ListQuery[R]) -> Callable[[R], Hashable] | None:
    """Return what folds rows; nothing does once a search or a filter asks for them."""
    return query.spec.fold if query.is_everything else None
