"""Elements bound to live rows: what changes is sent to the element, once a frame; the lease ends with the element."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nicegui import ui

from components.views import ConnectionsView, Counter, CountsView, RowsView
from components.window import Live, Window, end_with
from services.entities import Entity, R, Scope


def live_rows(
    window: Window,
    element: ui.element,
    entity: Entity[R],
    *,
    present: Callable[[R], dict[str, Any]],
    key: Callable[[R], Any],
    where: Callable[[R], bool] | None = None,
    limit: int = 200,
) -> RowsView[R]:
    """Bind a list element to an entity's rows that pass `where`, sorted by `key`; the lease ends with the element."""
    live = Live(window, element)
    subscription = window.subscribe(entity, on_change=live.changed)
    live.view = view = RowsView(subscription, present=present, key=key, where=where, limit=limit)
    end_with(element, live.close, subscription.close)
    return view


def live_counts(window: Window, element: ui.element, counters: Sequence[Counter]) -> None:
    """Bind a StatGrid to counters over entities' rows; the leases, one an entity, end with the element."""
    live = Live(window, element)
    entities = {counter.entity.table: counter.entity for counter in counters}
    subscriptions = {table: window.subscribe(entity, on_change=live.changed) for table, entity in entities.items()}
    live.view = CountsView(counters, subscriptions)
    end_with(element, live.close, *(subscription.close for subscription in subscriptions.values()))


def live_connections(window: Window, element: ui.element, scopes: Mapping[str, Scope | None]) -> None:
    """Bind connection chips, by name, to the status of the window's leases of a scope, or of all."""
    live = Live(window, element, follows_status=True)
    live.view = ConnectionsView(lambda: {name: window.status(scope) for name, scope in scopes.items()})
    end_with(element, live.close)
