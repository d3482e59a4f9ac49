"""Elements bound to live rows: what changes is sent to the element, once a frame; the subscription ends with the element."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic
from uuid import UUID

from nicegui import ui
from nicegui.events import GenericEventArguments

from components.elements.figures.live_table import LiveTable, TableView
from components.elements.lists.details import Details, OneRowView
from components.elements.lists.list_controls import ListControls
from components.elements.lists.live_list import LiveList
from components.elements.logs.event_log import EventLog
from components.views.controls import ControlsView, Labels
from components.views.counts import ConnectionsView, Counter, CountsView
from components.views.events import EventsView
from components.views.list_query import ListQuery
from components.views.rows import LIMIT, RowsView
from components.views.shared import AllRows, SharedView, SharedViewCursor, shared_by
from components.window.window import LiveBinding, Window, end_with
from services.entities.entity import Entity, R, Scope
from services.realtime import Delta, FeedStatus, Subscription


def live_rows(
    window: Window,
    element: ui.element,
    entity: Entity[R],
    *,
    present: Callable[[R], dict[str, Any]],
    key: Callable[[R], Any],
    where: Callable[[R], bool] | None = None,
    limit: int = LIMIT,
    time_dependent: bool = False,
) -> None:
    """Bind a list element to an entity's rows that pass `where`, sorted by `key`; the subscription ends with the element.

    With `time_dependent`, time alone may change who passes: the rows are looked at again with every probe.
    """

    def age(_: FeedStatus) -> None:
        if time_dependent:
            live.changed([Delta(id=row.id, old=row, new=row) for row in subscription.rows()])

    live = LiveBinding(window, element)
    subscription = window.subscribe(entity, on_change=live.changed, on_status=age)
    live.view = RowsView(subscription, present=present, key=key, where=where, limit=limit)
    end_with(element, live.close, subscription.close)


def live_row(
    window: Window, element: Details, entity: Entity[R], id: UUID | None, *, present: Callable[[R], dict[str, Any]]
) -> None:
    """Bind an element to the one row of that id, which may come, change and go; the subscription ends with the element."""
    live = LiveBinding(window, element)
    subscription = window.subscribe(entity, on_change=live.changed, where=lambda row: row.id == id)

    def row() -> dict[str, Any] | None:
        found = subscription.get(id) if id else None
        return present(found) if found else None

    live.view = OneRowView(lambda: subscription.is_loaded, row)
    end_with(element, live.close, subscription.close)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveQuery(Generic[R]):
    """A list with controls above it, on one subscription; `show` answers another query, `relabel` says that names changed."""

    element: LiveList
    show: Callable[[ListQuery[R]], None]
    relabel: Callable[[], None]


def live_query(
    window: Window,
    controls: ListControls,
    element: LiveList,
    entity: Entity[R],
    *,
    present: Callable[[R], dict[str, Any]],
    query: ListQuery[R],
    where: Callable[[R], bool] | None = None,
    labels: Labels | None = None,
) -> LiveQuery[R]:
    """Bind a list and its controls to the rows that pass `where` and `query`; the subscription ends with the list.

    Of a spec that time_dependent, the rows are looked at again with every probe. `labels` name values of selects by facet.
    """

    def passes(row: R) -> bool:
        return (where is None or where(row)) and controls_view.query.matches(row)

    def changed(deltas: list[Delta[R]]) -> None:
        rows_live.changed(deltas)
        controls_live.changed(deltas)

    def age(_: FeedStatus) -> None:
        if query.spec.time_dependent:
            changed([Delta(id=row.id, old=row, new=row) for row in subscription.rows()])

    rows_live, controls_live = LiveBinding(window, element), LiveBinding(window, controls)
    subscription = window.subscribe(entity, on_change=changed, on_status=age)
    controls_view = ControlsView(subscription, query, where, labels)
    rows_view = RowsView(
        subscription, present=present, key=query.sort.key, where=passes, is_volatile=query.sort.is_volatile
    )
    rows_view.is_filtered = not query.is_everything

    def same_rows() -> SharedView | None:
        """What every window shows that asks for the same and is at the list's beginning."""
        query = controls_view.query
        if where is not None or query.sort.is_volatile or rows_view.is_read or rows_view.first:
            return None

        def view(rows: AllRows[R]) -> RowsView[R]:
            view = RowsView(rows, present=present, key=query.sort.key, where=query.matches)
            view.is_filtered = not query.is_everything
            return view

        return subscription.shared((present, query.key), shared_by(view))

    def same_controls() -> SharedView | None:
        query = controls_view.query
        if where is not None or labels:
            return None
        return subscription.shared(query.key, shared_by(lambda rows: ControlsView(rows, query, None)))

    rows_live.view = SharedViewCursor(same_rows, rows_view)
    controls_live.view = SharedViewCursor(same_controls, controls_view)

    def show(query: ListQuery[R]) -> None:
        controls_view.query = query
        rows_view.is_filtered = not query.is_everything
        rows_view.key, rows_view.is_volatile = query.sort.key, query.sort.is_volatile
        rows_view.scroll(0, is_read=False)
        rows_view.settle()
        controls_live.refresh()
        rows_live.refresh()

    def scroll(event: GenericEventArguments) -> None:
        first, reading = event.args.get("first"), event.args.get("reading")
        if isinstance(first, int) and isinstance(reading, bool):
            had_left = rows_view.is_read
            moved_on = first != rows_view.first
            rows_view.scroll(first, is_read=reading)
            if moved_on or (had_left and not reading):
                rows_live.refresh()

    def settle() -> None:
        rows_view.scroll(0, is_read=False)
        rows_view.settle()
        rows_live.refresh()

    element.on("scroll", scroll)
    element.on("settle", settle)
    end_with(element, rows_live.close, controls_live.close, subscription.close)
    return LiveQuery(element=element, show=show, relabel=controls_live.refresh)


def live_counts(window: Window, element: ui.element, counters: Sequence[Counter]) -> None:
    """Bind a StatGrid to counters over entities' rows; the subscriptions, one an entity, end with the element."""
    live = LiveBinding(window, element)
    entities = {counter.entity.table: counter.entity for counter in counters}
    subscriptions = {table: window.subscribe(entity, on_change=live.changed) for table, entity in entities.items()}
    live.view = CountsView(counters, subscriptions)
    end_with(element, live.close, *(subscription.close for subscription in subscriptions.values()))


def live_table(window: Window, element: LiveTable, rows: Callable[[], Mapping[str, Mapping[str, Any]]]) -> None:
    """Bind a table to `rows`, computed anew with every change of a status: with every probe at least."""
    live = LiveBinding(window, element, follows_status=True)
    live.view = TableView(rows)
    end_with(element, live.close)


def live_events(window: Window, element: EventLog, entities: Sequence[Entity[Any]]) -> None:
    """Bind an event log to what arrives of these entities; the subscriptions end with the element."""
    live = LiveBinding(window, element)
    live.view = view = EventsView()
    subscriptions: list[Subscription[Any]] = []

    def follow(entity: Entity[Any]) -> None:
        def begin(_: FeedStatus) -> None:
            if subscription.is_loaded:
                view.begin(entity)

        subscription = window.subscribe(entity, on_change=view.listener(entity, live.changed), on_status=begin)
        subscriptions.append(subscription)

    for entity in entities:
        follow(entity)
    end_with(element, live.close, *(subscription.close for subscription in subscriptions))


def live_connections(window: Window, element: ui.element, scopes: Mapping[str, Scope | None]) -> None:
    """Bind connection chips, by name, to the status of the window's subscriptions of a scope, or of all."""
    live = LiveBinding(window, element, follows_status=True)
    live.view = ConnectionsView(lambda: {name: window.status(scope) for name, scope in scopes.items()})
    end_with(element, live.close)
