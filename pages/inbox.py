"""/alerts and /notifications: what is addressed to this person."""

from collections.abc import Callable
from typing import Any

from nicegui import ui

from components.live import InboxHook, use_notifications, use_signal_alerts
from components.shell import page_head
from pages.visit import Visit, alert_list, notification_list


def alerts_page(visit: Visit) -> None:
    """What was detected, latest first."""
    _inbox(visit, "Alerts", use_signal_alerts(visit.window, visit.context.database), alert_list)


def notifications_page(visit: Visit) -> None:
    """Messages, latest first."""
    _inbox(visit, "Notifications", use_notifications(visit.window, visit.context.database), notification_list)


def _inbox(visit: Visit, title: str, inbox: InboxHook[Any], rows: Callable[[Visit], None]) -> None:
    async def mark_all() -> None:
        await visit.act(inbox.mark_all_as_read())

    with page_head(title):
        ui.button("Mark all as read", on_click=mark_all).props("flat no-caps").classes("lw-button")
    rows(visit)
