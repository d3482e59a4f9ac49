"""Hooks: live rows for a page's own code, from a subscription to a browser window.

What only shows rows binds a live element instead (`components/elements`).
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic
from uuid import UUID

from components.window.heartbeat import Heartbeat, StatusHook, use_connection_heartbeat
from components.window.window import Window
from services.entities import (
    AGENTS,
    ALERTS,
    NOTIFICATIONS,
    SCANS,
    STREAMS,
    AcquisitionScan,
    AgentExecution,
    AgentStatus,
    Entity,
    Notification,
    R,
    Row,
    SignalAlert,
    Stream,
)
from services.infra.database import Database
from services.people.inbox import ALERT_INBOX, NOTIFICATION_INBOX, Inbox
from services.realtime import Delta, FeedStatus

__all__ = [
    "AgentsHook",
    "AlertsHook",
    "Heartbeat",
    "Hook",
    "InboxHook",
    "use_agent_executions",
    "use_all_streams_progress",
    "use_connection_heartbeat",
    "use_notifications",
    "use_rows",
    "use_scan_progress",
    "use_signal_alerts",
    "use_stream_progress",
]


class Hook(StatusHook, Generic[R]):
    """Live rows of an entity: read `data` when `on_change` is called, at most once per frame.

    Recovers by itself after a lost connection. `is_loaded` tells "no rows" from "not known yet".

    Args:
        window: The window whose organisation and session to use.
        entity: Which rows.
        where: Keeps a row if true; all rows by default.
        row_id: Keeps one row, however old.
        key: Sorts `data`; unsorted by default.
        on_change: Called with the hook after rows or the connection status have changed, while the window is visible.
    """

    def __init__(
        self,
        window: Window,
        entity: Entity[R],
        *,
        where: Callable[[R], bool] | None = None,
        row_id: UUID | None = None,
        key: Callable[[R], Any] | None = None,
        on_change: Callable[["Hook[R]"], None] | None = None,
    ) -> None:
        super().__init__(window, on_change)
        self._key = key
        self._subscription = window.subscribe(entity, on_change=self._rows_changed, where=where, row_id=row_id)

    @property
    def data(self) -> list[R]:
        """The rows as last known, sorted by the hook's key."""
        rows = self._subscription.rows()
        return sorted(rows, key=self._key) if self._key else rows

    @property
    def status(self) -> FeedStatus:
        """The status of the connection."""
        return self._subscription.status

    @property
    def is_connected(self) -> bool:
        """Whether `data` is live."""
        return self.is_loaded and super().is_connected

    @property
    def is_loaded(self) -> bool:
        """Whether the rows are known; there may be none."""
        return self._subscription.is_loaded

    @property
    def is_complete(self) -> bool:
        """Whether a row that is not in `data` does not exist: none is beyond the feed's limit, malformed or denied."""
        return self._subscription.is_complete

    def close(self) -> None:
        """End; idempotent."""
        super().close()
        self._subscription.close()

    def _rows_changed(self, _: list[Delta[R]]) -> None:
        self.refresh()


class InboxHook(Hook[R]):
    """A person's alerts or notifications in the window's organisation, latest first, and marking them as read.

    A mark is written to the database and comes back to every window. Marking raises NotFound, PermissionDenied or
    DatabaseUnavailable.
    """

    def __init__(self, window: Window, entity: Entity[R], database: Database, *, inbox: Inbox, **options: Any) -> None:
        super().__init__(window, entity, **options)
        self._database = database
        self._inbox = inbox

    @property
    def unread_count(self) -> int:
        """The number of unread rows, also beyond those that the feed holds."""
        return self._subscription.count(_is_unread).matching

    async def mark_as_read(self, id: UUID) -> None:
        """Mark one row as read."""
        await self._inbox.mark(self._database, self._window.session.identity, id)

    async def mark_all_as_read(self) -> int:
        """Mark every row in the window's organisation as read; returns how many were unread."""
        return len(await self._inbox.mark_all(self._database, self._window.session.identity, self._window.org_id))


class AlertsHook(InboxHook[SignalAlert]):
    """A person's alerts, latest first."""

    @property
    def alerts(self) -> list[SignalAlert]:
        """The same as `data`."""
        return self.data


class AgentsHook(Hook[AgentExecution]):
    """Agent executions, latest first."""

    @property
    def executions(self) -> list[AgentExecution]:
        """The same as `data`."""
        return self.data

    @property
    def running_agents(self) -> list[AgentExecution]:
        """The executions that are running now."""
        return [run for run in self.data if run.status is AgentStatus.RUNNING]


OnChange = Callable[[Hook[R]], None]


def use_rows(
    window: Window,
    entity: Entity[R],
    *,
    where: Callable[[R], bool] | None = None,
    on_change: OnChange[R] | None = None,
) -> Hook[R]:
    """Follow the rows of any entity that satisfy `where`, newest first."""
    return Hook(window, entity, where=where, key=_newest, on_change=on_change)


def use_stream_progress(window: Window, stream_id: UUID, *, on_change: OnChange[Stream] | None = None) -> Hook[Stream]:
    """Follow one stream; `data` is empty when the organisation has no stream of that id."""
    return Hook(window, STREAMS, row_id=stream_id, on_change=on_change)


def use_all_streams_progress(window: Window, *, on_change: OnChange[Stream] | None = None) -> Hook[Stream]:
    """Follow every stream of the organisation, newest first."""
    return use_rows(window, STREAMS, on_change=on_change)


def use_scan_progress(
    window: Window, scan_id: UUID, *, on_change: OnChange[AcquisitionScan] | None = None
) -> Hook[AcquisitionScan]:
    """Follow one scan; `data` is empty when the organisation has no scan of that id."""
    return Hook(window, SCANS, row_id=scan_id, on_change=on_change)


def use_agent_executions(
    window: Window, *, stream_id: UUID | None = None, on_change: OnChange[AgentExecution] | None = None
) -> AgentsHook:
    """Follow the agent executions of the organisation, or of one stream."""
    where = (lambda run: run.stream_id == stream_id) if stream_id else None
    return AgentsHook(window, AGENTS, where=where, key=_newest, on_change=on_change)


def use_signal_alerts(
    window: Window, database: Database, *, on_change: OnChange[SignalAlert] | None = None
) -> AlertsHook:
    """Follow the person's alerts."""
    return AlertsHook(
        window,
        ALERTS,
        database,
        inbox=ALERT_INBOX,
        key=lambda alert: _latest_first(alert.detected_at),
        on_change=on_change,
    )


def use_notifications(
    window: Window, database: Database, *, on_change: OnChange[Notification] | None = None
) -> InboxHook[Notification]:
    """Follow the person's notifications."""
    return InboxHook(window, NOTIFICATIONS, database, inbox=NOTIFICATION_INBOX, key=_newest, on_change=on_change)


def _is_unread(row: Any) -> bool:
    return bool(row.is_unread)


def _newest(row: Row) -> float:
    return _latest_first(row.created_at)


def _latest_first(time: datetime | None) -> float:
    return -time.timestamp() if time else 0.0
