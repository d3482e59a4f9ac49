"""/notifications: messages for this person."""

from nicegui import ui

from components.shell import page_head
from pages.visit import Visit, notification_list
from services.inbox import mark_all_notifications_read


def notifications_page(visit: Visit) -> None:
    """Messages, latest first."""

    async def mark_all() -> None:
        await visit.act(mark_all_notifications_read(visit.context.database, visit.session.identity))

    with page_head("Notifications"):
        ui.button("Mark all as read", on_click=mark_all).props("flat no-caps").classes("lw-button")
    notification_list(visit)
