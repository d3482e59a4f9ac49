"""/alerts: what was detected, for this person."""

from nicegui import ui

from components.live import use_signal_alerts
from components.shell import page_head
from pages.visit import Visit, alert_list


def alerts_page(visit: Visit) -> None:
    """Alerts, latest first."""
    alerts = use_signal_alerts(visit.window, visit.context.database)

    async def mark_all() -> None:
        await visit.act(alerts.mark_all_as_read())

    with page_head("Alerts"):
        ui.button("Mark all as read", on_click=mark_all).props("flat no-caps").classes("lw-button")
    alert_list(visit)
