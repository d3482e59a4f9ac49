"""Realtime inspector: a live log of received changes."""

from collections.abc import Sequence
from typing import Any

from components.views.events import EventsView
from components.window.live_element import LiveElement
from components.window.window import Window
from services.entities import Entity
from services.realtime import FeedStatus, Subscription


class EventLog(LiveElement, component="event_log.js"):
    """Log of events, latest first, with filter, pause, clear and export.

    The browser keeps the last 1,000 events and shows 200 of them at a time.
    """

    def bind_events(self, window: Window, entities: Sequence[Entity[Any]]) -> None:
        """Log the changes of these entities; the subscriptions end with the element."""
        view = EventsView()
        binding = self.bind(window, view)
        for entity in entities:
            self._follow(window, entity, view, binding.changed)

    def _follow(self, window: Window, entity: Entity[Any], view: EventsView, changed: Any) -> None:
        def begin(_: FeedStatus) -> None:
            if subscription.is_loaded:
                view.begin(entity)

        subscription: Subscription[Any] = window.subscribe(
            entity, on_change=view.listener(entity, changed), on_status=begin
        )
        self.on_delete(subscription.close)
