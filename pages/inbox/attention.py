"""What asks for attention around every page: arrivals, the unread count, and the inbox behind the bell."""

from typing import Any

from components.shell.attention.attention import Attention
from components.shell.shell import Frame
from components.shell.theme.theme import Theme
from components.views.attention import AttentionView
from components.window.window import LiveBinding, Window, end_with
from pages.inbox.inbox import ALERT_KIND, NOTIFICATION_KIND, inbox_drawer
from pages.page.context import PageContext
from services.entities.entity import ALERTS, NOTIFICATIONS, Entity
from services.people.preferences import Preferences
from services.realtime import FeedStatus, Subscription


def attend(page: PageContext, frame: Frame, theme: Theme) -> None:
    """Bring the frame to life: what the person prefers shows in it, what arrives is told, and the bell opens."""

    def show(preferences: Preferences) -> None:
        theme.prefer(theme=preferences.theme, density=preferences.density)
        frame.attention.prefer(toasts=preferences.toasts, sound=preferences.sound)
        frame.shortcuts.prefer(shortcuts=preferences.shortcuts)

    async def switch(name: str) -> None:
        await page.act(page.preferences.change(theme=name))

    page.preferences.listen(frame.attention, show)
    theme.on_switch(switch)
    view = live_attention(page.window, frame.attention)
    drawer = inbox_drawer(page)
    frame.bell.on("click", lambda: drawer.open(first_unread(view)))


def first_unread(view: AttentionView) -> str:
    """The tab of the inbox to begin with: the alerts, unless only notifications wait."""
    waiting = [box.key for box in (ALERT_KIND, NOTIFICATION_KIND) if view.unread.get(box.entity.table)]
    return waiting[0] if waiting else ALERT_KIND.key


def live_attention(window: Window, element: Attention) -> AttentionView:
    """Bind what asks for attention to the person's alerts and notifications; the subscriptions end with the element."""
    live = LiveBinding(window, element, deliver_when_hidden=True)
    subscriptions: dict[str, Subscription[Any]] = {}
    live.view = view = AttentionView(subscriptions)

    def follow(entity: Entity[Any]) -> None:
        def begin(_: FeedStatus) -> None:
            if subscriptions[entity.table].is_loaded and view.begin(entity.table):
                live.refresh()

        subscriptions[entity.table] = window.subscribe(
            entity, on_change=view.listener(entity.table, live.changed), on_status=begin
        )

    for entity in (ALERTS, NOTIFICATIONS):
        follow(entity)
    end_with(element, live.close, *(subscription.close for subscription in subscriptions.values()))
    return view
