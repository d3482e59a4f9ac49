"""Attention signals of every page: toasts, the unread count in the tab's title and icon, and a tone."""

from typing import Any

from components.presentation.compact_elements import SharedDict
from components.views.attention import INBOX_PATHS, AttentionView
from components.views.chat.unread import UnreadThreads
from components.window.live_element import LiveBinding, LiveElement
from components.window.window import Window
from services.entities import ALERTS, NOTIFICATIONS, Entity, NotificationType, Priority
from services.realtime import FeedStatus, Subscription

# Plays the tone in the browser, which allows immediate sound only in the handler of a user gesture.
PLAY_TONE = '() => document.dispatchEvent(new CustomEvent("lw-try-sound"))'


class Attention(LiveElement, component="attention.js", dependencies=["tab_title.js", "tone.js"]):
    """Announces arrivals; accepts the batches of an `AttentionView`, even while the window is hidden.

    Each arrival shows a toast; simultaneous arrivals share one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.props["status-styles"] = SharedDict(
            signal_alerts=Priority.styles(), notifications=NotificationType.styles()
        )
        self.props["inboxes"] = SharedDict(INBOX_PATHS)
        self.props["place"] = ""
        self.prefer(toasts=True, sound=False)

    def set_place(self, place: str) -> None:
        """Set the page's name in the tab's title."""
        self.props["place"] = place

    def prefer(self, *, toasts: bool, sound: bool) -> None:
        """Set whether arrivals show toasts and play a tone."""
        self.props["toasts"] = toasts
        self.props["sound"] = sound

    def bind_inboxes(self, window: Window, messages: UnreadThreads) -> AttentionView:
        """Announce the user's alerts and notifications; the subscriptions end with the element.

        Args:
            window: The window that the element is in.
            messages: Unread messages of the chat, which count in the tab's title.
        """
        subscriptions: dict[str, Subscription[Any]] = {}
        view = AttentionView(subscriptions)
        binding = self.bind(window, view, deliver_when_hidden=True)
        for entity in (ALERTS, NOTIFICATIONS):
            self._follow(window, entity, view, subscriptions, binding)
        view.messages = messages
        self.on_delete(messages.listen(lambda: binding.changed(())))
        return view

    def _follow(
        self,
        window: Window,
        entity: Entity[Any],
        view: AttentionView,
        subscriptions: dict[str, Subscription[Any]],
        binding: LiveBinding,
    ) -> None:
        def begin(_: FeedStatus) -> None:
            if subscriptions[entity.table].is_loaded and view.begin(entity.table):
                binding.refresh()

        subscriptions[entity.table] = subscription = window.subscribe(
            entity, on_change=view.listener(entity.table, binding.changed), on_status=begin
        )
        self.on_delete(subscription.close)
