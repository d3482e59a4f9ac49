"""A person's alerts and notifications: /alerts, /notifications, the tab of Live Monitoring, the bell's drawer."""

from dataclasses import dataclass
from typing import Any

from nicegui import ui

from components.shell.inbox_drawer import InboxDrawer, InboxTab
from components.shell.shell import page_head
from pages.lists.counters import UNREAD_COUNTERS
from pages.lists.entity_list import entity_list
from pages.lists.searchable_list import searchable_list
from pages.page.context import PageContext
from services.entities import ALERTS, NOTIFICATIONS, Entity
from services.people.inbox import ALERT_INBOX, NOTIFICATION_INBOX, Inbox

MAX_IN_DRAWER = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxKind:
    """One kind of message; `key` names its counter and its page."""

    key: str
    entity: Entity[Any]
    inbox: Inbox

    @property
    def path(self) -> str:
        """The page that lists all of them."""
        return f"/{self.key}"

    def unread_first(self, row: Any) -> tuple[bool, Any]:
        """Sort key: unread rows before the others, each latest first."""
        return (not self.inbox.is_unread(row), self.entity.listing.sorts[0].key(row))


ALERT_KIND = InboxKind(key="alerts", entity=ALERTS, inbox=ALERT_INBOX)
NOTIFICATION_KIND = InboxKind(key="notifications", entity=NOTIFICATIONS, inbox=NOTIFICATION_INBOX)


def alerts_page(page: PageContext) -> None:
    """Every alert, as the URL filters and sorts them."""
    _inbox_page(page, ALERT_KIND)


def notifications_page(page: PageContext) -> None:
    """Every notification, as the URL filters and sorts them."""
    _inbox_page(page, NOTIFICATION_KIND)


def alerts_tab(page: PageContext) -> None:
    """The alerts below the counters of Live Monitoring."""
    with ui.element("div").classes("lw-head lw-head--bare"):
        ui.element("span").classes("lw-push")
        _mark_all_button(page, ALERT_KIND)
    searchable_list(page, ALERTS)


def inbox_drawer(page: PageContext) -> InboxDrawer:
    """Build the window's drawer with one tab per kind; open it with the key of a kind."""
    return InboxDrawer([_drawer_tab(page, kind) for kind in (ALERT_KIND, NOTIFICATION_KIND)])


def _inbox_page(page: PageContext, kind: InboxKind) -> None:
    with page_head(kind.entity.label):
        _mark_all_button(page, kind)
    searchable_list(page, kind.entity)


def _drawer_tab(page: PageContext, kind: InboxKind) -> InboxTab:
    return InboxTab(
        key=kind.key,
        label=kind.entity.label,
        path=kind.path,
        build=lambda: entity_list(page, kind.entity, key=kind.unread_first, limit=MAX_IN_DRAWER, skeletons=4),
        bind=lambda badge: badge.bind_counters(page.window, [UNREAD_COUNTERS[kind.key]]),
        mark_all=lambda: _mark_all(page, kind),
    )


def _mark_all_button(page: PageContext, kind: InboxKind) -> None:
    ui.button("Mark all as read", on_click=lambda: _mark_all(page, kind)).props("flat no-caps").classes("lw-button")


async def _mark_all(page: PageContext, kind: InboxKind) -> None:
    await page.act(kind.inbox.mark_all(page.services.database, page.session.identity, page.membership.org_id))
