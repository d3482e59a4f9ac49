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
from pages.lists.lists import ALERT_LIST, NOTIFICATION_LIST, queried
from pages.page.context import Visit, latest_detected, newest_first, take_marks
from services.entities.entity import ALERTS, NOTIFICATIONS, Entity
from services.people.inbox import ALERT_INBOX, NOTIFICATION_INBOX, Inbox

MOST_IN_DRAWER = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
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


ALERT_BOX = Box(
    key="alerts",
    label="Alerts",
    kind="alert",
    entity=ALERTS,
    inbox=ALERT_INBOX,
    spec=ALERT_LIST,
    present=present_alert,
    order=latest_detected,
)
NOTIFICATION_BOX = Box(
    key="notifications",
    label="Notifications",
    kind="notification",
    entity=NOTIFICATIONS,
    inbox=NOTIFICATION_INBOX,
    spec=NOTIFICATION_LIST,
    present=present_notification,
    order=newest_first,
)


def alerts_page(visit: Visit) -> None:
    """What was detected, searched, filtered and sorted by the address."""
    _page(visit, ALERT_BOX)


def notifications_page(visit: Visit) -> None:
    """Messages, as the address asks for them."""
    _page(visit, NOTIFICATION_BOX)


def alerts_tab(visit: Visit) -> None:
    """The alerts below the counters of Live Monitoring."""
    with ui.element("div").classes("lw-head lw-head--bare"):
        ui.element("span").classes("lw-push")
        _mark_all_button(visit, ALERT_BOX)
    _list(visit, ALERT_BOX)


def inbox_drawer(visit: Visit) -> InboxDrawer:
    """The drawer of a window, with a tab for each kind; to be opened by the key of one."""
    return InboxDrawer([_tab(visit, box) for box in (ALERT_BOX, NOTIFICATION_BOX)])


def _page(visit: Visit, box: Box) -> None:
    with page_head(box.label):
        _mark_all_button(visit, box)
    _list(visit, box)


def _list(visit: Visit, box: Box) -> None:
    live = queried(visit, box.kind, box.entity, box.spec, box.present, noun=box.key)
    take_marks(visit, live.element, box.inbox)


def _tab(visit: Visit, box: Box) -> InboxTab:
    def build() -> None:
        element = LiveList(box.kind, skeletons=4)
        live_rows(
            visit.window,
            element,
            box.entity,
            present=box.present,
            key=box.unread_first,
            limit=MOST_IN_DRAWER,
        )
        take_marks(visit, element, box.inbox)

    return InboxTab(
        key=box.key,
        label=box.label,
        path=box.path,
        build=build,
        bind=lambda badge: live_counts(visit.window, badge, [UNREAD[box.key]]),
        mark_all=lambda: _mark_all(visit, box),
    )


def _mark_all_button(visit: Visit, box: Box) -> None:
    ui.button("Mark all as read", on_click=lambda: _mark_all(visit, box)).props("flat no-caps").classes("lw-button")


async def _mark_all(visit: Visit, box: Box) -> None:
    work = box.inbox.mark_all(visit.context.database, visit.session.identity, visit.membership.org_id)
    await visit.act(work)
