"""One person's page in one window: what the pages inside the frame are built from."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from nicegui import ui

from components.elements.bindings import live_rows
from components.elements.lists.live_list import LiveList
from components.presentation.rows import (
    present_activity,
    present_agent,
    present_alert,
    present_notification,
    present_scan,
    present_stream,
)
from components.window.window import Window
from pages.page.preferences_store import PreferencesStore
from pages.page.services import Services
from pages.page.url_state import UrlState
from services.auth.sessions import UserSession
from services.entities import (
    AcquisitionScan,
    Activity,
    AgentExecution,
    AgentStatus,
    Notification,
    Row,
    SignalAlert,
    Stream,
)
from services.entities.entity import ACTIVITIES, AGENTS, ALERTS, NOTIFICATIONS, SCANS, STREAMS
from services.errors import LivewatchError
from services.people.inbox import ALERT_INBOX, NOTIFICATION_INBOX, Inbox
from services.people.organizations import Membership


@dataclass(frozen=True, slots=True, kw_only=True)
class PageContext:
    """The services, the session, the window's end of the feed, its address, the organisation and what is preferred."""

    context: Services
    session: UserSession
    window: Window
    membership: Membership
    address: UrlState
    preferences: PreferencesStore

    async def act(self, work: Awaitable[object], *, done: str = "") -> None:
        """Do something that a person asked for, and tell them how it went."""
        try:
            await work
        except LivewatchError as error:
            ui.notify(str(error), type="negative")
        else:
            if done:
                ui.notify(done, type="positive")


def stream_list(
    page: PageContext,
    *,
    where: Callable[[Stream], bool] | None = None,
    empty_text: str | None = None,
    time_dependent: bool = False,
) -> None:
    """Stream cards, newest first: an order that no progress changes. `time_dependent`: time alone changes who passes `where`."""
    element = LiveList("stream", empty_text=empty_text)
    live_rows(
        page.window,
        element,
        STREAMS,
        present=present_stream,
        key=newest_first,
        where=where,
        time_dependent=time_dependent,
    )


def scan_list(
    page: PageContext,
    *,
    where: Callable[[AcquisitionScan], bool] | None = None,
    empty_text: str | None = None,
    time_dependent: bool = False,
) -> None:
    """Scan cards, newest first."""
    element = LiveList("scan", empty_text=empty_text)
    live_rows(
        page.window, element, SCANS, present=present_scan, key=newest_first, where=where, time_dependent=time_dependent
    )


def agent_list(
    page: PageContext,
    *,
    where: Callable[[AgentExecution], bool] | None = None,
    limit: int = 100,
    empty_text: str | None = None,
) -> None:
    """Agent executions: those that run or wait first, then the latest."""

    element = LiveList("agent", empty_text=empty_text)
    live_rows(page.window, element, AGENTS, present=present_agent, key=running_first, where=where, limit=limit)


def activity_list(
    page: PageContext,
    *,
    where: Callable[[Activity], bool] | None = None,
    limit: int = 100,
    empty_text: str | None = None,
) -> None:
    """What happened, latest first."""
    element = LiveList("activity", empty_text=empty_text)
    live_rows(page.window, element, ACTIVITIES, present=present_activity, key=newest_first, where=where, limit=limit)


def alert_list(
    page: PageContext,
    *,
    where: Callable[[SignalAlert], bool] | None = None,
    limit: int = 100,
    empty_text: str | None = None,
) -> None:
    """Alerts for the person, latest first, each with a way to mark it as read."""
    element = LiveList("alert", empty_text=empty_text)
    live_rows(page.window, element, ALERTS, present=present_alert, key=latest_detected, where=where, limit=limit)
    take_marks(page, element, ALERT_INBOX)


def notification_list(page: PageContext, *, limit: int = 100) -> None:
    """Messages for the person, latest first, each with a way to mark it as read."""
    element = LiveList("notification")
    live_rows(page.window, element, NOTIFICATIONS, present=present_notification, key=newest_first, limit=limit)
    take_marks(page, element, NOTIFICATION_INBOX)


def take_marks(page: PageContext, element: LiveList, inbox: Inbox) -> None:
    """Mark as read what the person marks in the list; the id comes from the browser and may be anything."""

    async def mark(id: str) -> None:
        try:
            row_id = UUID(id)
        except ValueError:
            return
        await page.act(inbox.mark(page.context.database, page.session.identity, row_id))

    element.on_mark_read(mark)


def newest_first(row: Row | Notification) -> float:
    """Sorts by creation, latest first."""
    return -row.created_at.timestamp() if row.created_at else 0.0


def running_first(row: AgentExecution) -> tuple[bool, float]:
    """Sorts those that run or wait before those that are over, and each by creation, latest first."""
    is_over = row.status not in (AgentStatus.RUNNING, AgentStatus.PENDING)
    return (is_over, newest_first(row))


def latest_detected(row: SignalAlert) -> float:
    """Sorts by detection, latest first."""
    return -row.detected_at.timestamp() if row.detected_at else 0.0
