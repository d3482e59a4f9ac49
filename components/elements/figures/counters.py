"""Binding of live counters to an element."""

from collections.abc import Sequence

from components.views.counts import Counter, CountsView
from components.window.live_element import LiveElement
from components.window.window import Window

COUNT_SECONDS = 0.25
"""Minimum seconds between two values of a count: nobody reads more, and each costs every window a layout."""


def bind_counters(element: LiveElement, window: Window, counters: Sequence[Counter]) -> None:
    """Bind counters to `element`; the subscriptions, one per entity, end with the element."""
    binding = element.bind(window, interval=COUNT_SECONDS)
    entities = {counter.entity.table: counter.entity for counter in counters}
    subscriptions = {table: window.subscribe(entity, on_change=binding.changed) for table, entity in entities.items()}
    binding.view = CountsView(counters, subscriptions)
    element.on_delete(*(subscription.close for subscription in subscriptions.values()))
