"""The user's alerts and notifications: /alerts, /notifications, the tab of Live Monitoring, and the drawer."""

from dataclasses import dataclass
from typing import Any

from components.shell.drawers import InboxDrawer, InboxTab
from components.shell.shell import page_head
from pages.lists.actions.marks import mark_all
from pages.lists.counters import UNREAD_COUNTERS
from pages.lists.entity_list import entity_list
from pages.lists.searchable_list import searchable_list
from pages.page.context import PageContext
from services.entities import ALERTS, NOTIFICATIONS, Entity
from services.people.inbox import ALERT_INBOX, NOTIFICATION_INBOX, Inbox

MAX_IN_DRAWER = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxKind:
    """Kind of message; `key` is the name of its counter and of its page."""

    key: str
    entity: Entity[Any]
    inbox: Inbox

    @property
    def path(self) -> str:
        """Path of the page that lists all messages of the kind."""
        return f"/{self.key}"

    def unread_first(self, row: Any) -> tuple[bool, Any]:
        """Return the sort key of a row: unread rows first, then latest first."""
        return (not self.inbox.is_unread(row), self.entity.listing.sorts[0].key(row))


ALERT_KIND = InboxKind(key="alerts", entity=ALERTS, inbox=ALERT_INBOX)
NOTIFICATION_KIND = InboxKind(key="notifications", entity=NOTIFICATIONS, inbox=NOTIFICATION_INBOX)


def alerts_page(page: PageContext) -> None:
    """Build the list of all alerts, with the query of the URL."""
    _inbox_page(page, ALERT_KIND)


def notifications_page(page: PageContext) -> None:
    """Build the list of all notifications, with the query of the URL."""
    _inbox_page(page, NOTIFICATION_KIND)


def inbox_drawer(page: PageContext) -> InboxDrawer:
    """Build the window's drawer, with one tab per kind; its `open` takes the key of a kind."""
    return InboxDrawer([_drawer_tab(page, kind) for kind in (ALERT_KIND, NOTIFICATION_KIND)])


def _inbox_page(page: PageContext, kind: InboxKind) -> None:
    page_head(kind.entity.label)
    searchable_list(page, kind.entity)


def _drawer_tab(page: PageContext, kind: InboxKind) -> InboxTab:
    return InboxTab(
        key=kind.key,
        label=kind.entity.label,
        path=kind.path,
        build=lambda: entity_list(page, kind.entity, key=kind.unread_first, limit=MAX_IN_DRAWER, skeletons=4),
        bind=lambda badge: badge.bind_counters(page.window, [UNREAD_COUNTERS[kind.key]]),
        mark_all=lambda: mark_all(page, kind.entity),
    )
