"""List with controls, which share one query and one subscription."""

from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Generic
from uuid import UUID

from nicegui.events import GenericEventArguments

from components.elements.figures.counters import COUNT_SECONDS
from components.elements.lists.list_controls import ListControls
from components.elements.lists.live_list import LiveList, unchanged
from components.presentation.rows import presenter
from components.views.lists.controls import ControlsView, Labels, current_epoch
from components.views.lists.joined_rows import JoinedRows, Stored, place_of_held
from components.views.lists.reaching_view import ReachingView
from components.views.lists.rows import MAX_ROWS, RowsView
from components.views.shared import AllRows, SharedView, SharedViewCursor, shared_by
from components.window.window import Window
from services.entities import ConnectionStatus, R
from services.lists.query import ListQuery
from services.period import Period
from services.realtime import Delta, FeedStatus

SCREEN_ROWS = 60


class QueryList(Generic[R]):
    """Binds a live list and its controls to the rows that match the query, in the feed and in the database beyond.

    The subscription ends with the list. Windows with the same query share one view of the feed's rows until their user
    scrolls beyond them.

    Args:
        window: Window of both elements.
        controls: Element that shows the query and the counts.
        element: Element that shows the rows; must be created with `pages=True`.
        stored: Rows of the database.
        query: Initial query.
        labels: Functions that label the values of a facet, by the facet's name; prevents sharing of the controls.
    """

    def __init__(
        self,
        window: Window,
        controls: ListControls,
        element: LiveList,
        *,
        stored: Stored[R],
        query: ListQuery[R],
        labels: Labels | None = None,
    ) -> None:
        self.element = element
        self._labels = labels
        self._present = presenter(element.entity)
        self._rows_binding = element.bind(window)
        self._controls_binding = controls.bind(window, interval=COUNT_SECONDS)
        self._subscription = window.subscribe(element.entity, on_change=self._changed, on_status=self._recheck)
        self._was_connected = True
        self._joined = JoinedRows(self._subscription, stored, query, on_news=self._read)
        self._controls_view = ControlsView(self._joined, query, labels)
        self._rows_view = RowsView(
            self._joined,
            present=self._present,
            key=query.sort.key,
            where=self._passes,
            fold=_fold_of(query),
            is_volatile=query.sort.is_volatile,
        )
        self._rows_view.is_filtered = not query.is_everything
        rows = SharedViewCursor(self._shared_rows, self._rows_view)
        facets = SharedViewCursor(self._shared_controls, self._controls_view)
        self._rows_binding.view = ReachingView(rows, self._joined, partial(_is_short, rows))
        self._controls_binding.view = facets
        self._cursors = (rows, facets)
        element.on("scroll", self._on_scroll)
        element.on("settle", self._on_settle)
        element.on("unfold", self._on_unfold)
        element.on_delete(self._joined.close, self._controls_binding.close, self._subscription.close)

    @property
    def query(self) -> ListQuery[R]:
        """The present choice."""
        return self._joined.query

    @property
    def is_partial(self) -> bool:
        """Whether more rows exist than the feed holds, so that only the database knows which ones match."""
        return self._joined.is_partial

    def show(self, query: ListQuery[R]) -> None:
        """Apply another query and show its first rows, none of them chosen."""
        self.element.clear_chosen()
        self._joined.choose(query)
        self._controls_view.query = query
        rows = self._rows_view
        rows.is_filtered = not query.is_everything
        rows.key, rows.is_volatile, rows.folds.key = query.sort.key, query.sort.is_volatile, _fold_of(query)
        rows.scroll(0, is_read=False)
        rows.settle()
        self._controls_binding.refresh()
        self._rows_binding.refresh()

    def shown_ids(self) -> list[UUID]:
        """Return the ids of the rows that match the query and are here, scrolled into view or not."""
        return [row.id for row in self._joined.rows() if self._passes(row)]

    def further_back(self) -> ListQuery[R] | None:
        """Return the query for what is older than the list can hold; None if its order is not one by time."""
        query, earliest = self._joined.query, self._joined.earliest
        if earliest is None or query.sort.since is None or query.sort.sql != query.time:
            return None
        # A range ends before its end.
        end = (earliest + timedelta(microseconds=1)).isoformat()
        start, _ = query.period.bounds(datetime.now(UTC))
        return replace(query, period=Period(start=start.isoformat() if start else "", end=end))

    def relabel(self) -> None:
        """Send the controls again, after the results of `labels` have changed."""
        self._controls_binding.refresh()

    def _passes(self, row: R) -> bool:
        return self._joined.query.matches(row)

    def _changed(self, deltas: list[Delta[R]]) -> None:
        self._joined.take(deltas)
        self._rows_binding.changed(deltas)
        self._controls_binding.changed(deltas)

    def _read(self) -> None:
        """Show what was read from the database."""
        self._rows_binding.refresh()
        self._controls_binding.refresh()

    def _recheck(self, status: FeedStatus) -> None:
        """Filter all rows again at each probe, if the values of facets or the range change with time alone."""
        is_connected = status.status is ConnectionStatus.CONNECTED
        if is_connected and not self._was_connected:
            self._joined.recheck()
        self._was_connected = is_connected
        if self._joined.query.time_dependent:
            rows, epoch = self._joined.rows(), current_epoch()
            for cursor in self._cursors:
                cursor.recheck((row.id for row in rows), epoch)
            changed = unchanged(rows)
            self._rows_binding.changed(changed)
            self._controls_binding.changed(changed)

    def _shared_rows(self) -> SharedView | None:
        """Return the view that windows with the same query share while they show the first rows."""
        query, rows = self._joined.query, self._rows_view
        if query.sort.is_volatile or rows.is_read or rows.first or rows.folds.opened or not self._is_of_feed():
            return None

        def make(source: AllRows[R]) -> RowsView[R]:
            def passes(row: R) -> bool:
                place = place_of_held(source, query) if source.is_partial else None
                return query.matches(row) and (place is None or (query.sort.key(row), row.id) <= place)

            view = RowsView(source, present=self._present, key=query.sort.key, where=passes, fold=_fold_of(query))
            view.is_filtered = not query.is_everything
            return view

        return self._subscription.shared((self._present, query.key), shared_by(make))

    def _shared_controls(self) -> SharedView | None:
        query = self._joined.query
        if self._labels or self._joined.needs_counts:
            return None

        def make(source: AllRows[R]) -> ControlsView[R]:
            return ControlsView(source, query)

        return self._subscription.shared(query.key, shared_by(make))

    def _is_of_feed(self) -> bool:
        """Whether the list shows no more than the feed holds."""
        joined = self._joined
        has_first_rows = joined.query.has_chips_only and place_of_held(self._subscription, joined.query) is not None
        return not joined.is_partial or (has_first_rows and not joined.has_read)

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
            row, fold = self._joined.get(UUID(str(event.args))), self._rows_view.folds.key
            if row and fold:
                self._rows_view.folds.opened.add(fold(row))
                self._rows_binding.refresh()


def _is_short(rows: SharedViewCursor) -> bool:
    """Return whether a list could show more: one of its own rows ahead of the reader, a shared one a screen of rows."""
    wanted = SCREEN_ROWS if rows.is_shared else MAX_ROWS
    return isinstance(rows.shown, RowsView) and rows.shown.is_short_of(wanted)


def _fold_of(query: ListQuery[R]) -> Callable[[R], Hashable] | None:
    """Return what folds rows; nothing does once a search or a filter asks for them."""
    return query.spec.fold if query.is_everything else None
