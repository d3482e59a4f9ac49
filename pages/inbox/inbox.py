"""What is addressed to the person: /alerts, /notifications, the tab of Live Monitoring, and the bell's drawer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from components.elements.bindings import live_counts, live_rows
from components.elements.lists.live_list import Kind, LiveList
from components.presentation.rows import Fields, present_alert, present_notification
from components.shell.inbox_drawer import InboxDrawer, InboxTab
from components.shell.shell import page_head
from components.views.list_query import ListSpec
from pages.lists.counters import UNREAD
from pages.lists.lists import ALERT_LIST, NOTIFICATION_LIST, searchable_list
from pages.page.context import PageContext, latest_detected, newest_first, take_marks
from services.entities.entity import ALERTS, NOTIFICATIONS, Entity
from services.people.inbox import ALERT_INBOX, NOTIFICATION_INBOX, Inbox

MAX_IN_DRAWER = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxKind:
    """One kind of message: how it is read, listed and shown; `key` names its count, `order` sorts latest first."""

    key: str
    label: str
    kind: Kind
    entity: Entity[Any]
    inbox: Inbox
    spec: ListSpec[Any]
    present: Callable[[Any], Fields]
    order: Callable[[Any], float]

    @property
    def path(self) -> str:
        """The page with all of them."""
        return f"/{self.key}"

    def unread_first(self, row: Any) -> tuple[bool, float]:
        """Sorts what waits to be read before the rest, each latest first."""
        return (not self.inbox.is_unread(row), self.order(row))


ALERT_KIND = InboxKind(
    key="alerts",
    label="Alerts",
    kind="alert",
    entity=ALERTS,
    inbox=ALERT_INBOX,
    spec=ALERT_LIST,
    present=present_alert,
    order=latest_detected,
)
NOTIFICATION_KIND = InboxKind(
    key="notifications",
    label="Notifications",
    kind="notification",
    entity=NOTIFICATIONS,
    inbox=NOTIFICATION_INBOX,
    spec=NOTIFICATION_LIST,
    present=present_notification,
    order=newest_first,
)


def alerts_page(page: PageContext) -> None:
    """What was detected, searched, filtered and sorted by the address."""
    _page(page, ALERT_KIND)


def notifications_page(page: PageContext) -> None:
    """Messages, as the address asks for them."""
    _page(page, NOTIFICATION_KIND)


def alerts_tab(page: PageContext) -> None:
    """The alerts below the counters of Live Monitoring."""
    with ui.element("div").classes("lw-head lw-head--bare"):
        ui.element("span").classes("lw-push")
        _mark_all_button(page, ALERT_KIND)
    _list(page, ALERT_KIND)


def inbox_drawer(page: PageContext) -> InboxDrawer:
    """The drawer of a window, with a tab for each kind; to be opened by the key of one."""
    return InboxDrawer([_tab(page, box) for box in (ALERT_KIND, NOTIFICATION_KIND)])


def _page(page: PageContext, box: InboxKind) -> None:
    with page_head(box.label):
        _mark_all_button(page, box)
    _list(page, box)


def _list(page: PageContext, box: InboxKind) -> None:
    live = searchable_list(page, box.kind, box.entity, box.spec, box.present, noun=box.key)
    take_marks(page, live.element, box.inbox)


def _tab(page: PageContext, box: InboxKind) -> InboxTab:
    def build() -> None:
        element = LiveList(box.kind, skeletons=4)
        live_rows(
            page.window,
            element,
            box.entity,
            present=box.present,
            key=box.unread_first,
            limit=MAX_IN_DRAWER,
        )
        take_marks(page, element, box.inbox)

    return InboxTab(
        key=box.key,
        label=box.label,
        path=box.path,
        build=build,
        bind=lambda badge: live_counts(page.window, badge, [UNREAD[box.key]]),
        mark_all=lambda: _mark_all(page, box),
    )


def _mark_all_button(page: PageContext, box: InboxKind) -> None:
    ui.button("Mark all as read", on_click=lambda: _mark_all(page, box)).props("flat no-caps").classes("lw-button")


async def _mark_all(page: PageContext, box: InboxKind) -> None:
    work = box.inbox.mark_all(page.context.database, page.session.identity, page.membership.org_id)
    await page.act(work)
