"""Attention signals of the frame: announcements, unread counts, and the inbox that the bell opens."""

from components.shell.shell import Frame
from components.shell.theme.theme import Theme
from components.views.attention import AttentionView
from pages.inbox.inbox import ALERT_KIND, NOTIFICATION_KIND, inbox_drawer
from pages.page.context import PageContext
from services.people.preferences import Preferences


def attend(page: PageContext, frame: Frame, theme: Theme) -> None:
    """Bind the frame to the user's preferences and inbox, and open the inbox with the bell."""

    def show(preferences: Preferences) -> None:
        theme.prefer(theme=preferences.theme, density=preferences.density)
        frame.attention.prefer(toasts=preferences.toasts, sound=preferences.sound)
        frame.shortcuts.prefer(shortcuts=preferences.shortcuts)

    async def switch(name: str) -> None:
        await page.act(page.preferences.change(theme=name))

    page.preferences.listen(show)
    theme.on_switch(switch)
    view = frame.attention.bind_inboxes(page.window, page.unread)
    drawer = inbox_drawer(page)
    frame.bell.on("click", lambda: drawer.open(first_unread(view)))


def first_unread(view: AttentionView) -> str:
    """Return the key of the tab to open: alerts, unless only notifications are unread."""
    unread = [kind.key for kind in (ALERT_KIND, NOTIFICATION_KIND) if view.unread.get(kind.entity.table)]
    return unread[0] if unread else ALERT_KIND.key
