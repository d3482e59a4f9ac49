"""/notifications: messages for this person."""

from nicegui import ui

from components.live import use_notifications
from components.shell import page_head
from pages.visit import Visit, notification_list


def notifications_page(visit: Visit) -> None:
    """Messages, latest first."""
    notifications = use_notifications(visit.window, visit.context.database)

    async def mark_all() -> None:
        await visit.act(notifications.mark_all_as_read())

    with page_head("Notifications"):
        ui.button("Mark all as read", on_click=mark_all).props("flat no-caps").classes("lw-button")
    notification_list(visit)
