"""/alerts: what was detected, for this person."""

from nicegui import ui

from components.shell import page_head
from pages.visit import Visit, alert_list
from services.inbox import mark_all_alerts_read


def alerts_page(visit: Visit) -> None:
    """Alerts, latest first."""

    async def mark_all() -> None:
        await visit.act(mark_all_alerts_read(visit.context.database, visit.session.identity))

    with page_head("Alerts"):
        ui.button("Mark all as read", on_click=mark_all).props("flat no-caps").classes("lw-button")
    alert_list(visit)
