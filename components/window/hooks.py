"""Hooks, the seam between a subscription and a browser window: live data for whatever a page wants to do with it.

A hook holds its subscription for as long as the element that it was made in, at most as long as its window. What only shows
rows binds an element instead (components/bindings.py).
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Generic
from uuid import UUID

from nicegui import ui

from components.window.window import Window, end_with
from services.entities import (
    AcquisitionScan,
    AgentExecution,
    AgentStatus,
    ConnectionStatus,
    Notification,
    Row,
    SignalAlert,
    Stream,
)
from services.entities.entity import AGENTS, ALERTS, NOTIFICATIONS, SCANS, STREAMS, Entity, R, Topic
from services.infra.database import Database
from services.people.inbox import ALERT_INBOX, NOTIFICATION_INBOX, Inbox
from services.realtime import Delta, FeedStatus
from services.realtime.status import worst


class Hook(Generic[R]):
    """Live rows without an element: read `data` when `on_change` says that something changed, once a frame.

    `status` and `error` are the connection's, as is `is_connected`; `is_loaded` tells rows that are not known yet from
    none. Recovers by itself, and ends with the element that it was made in.
    """

    def __init__(
        self,
        window: Window,
        entity: Entity[R],
        *,
        where: Callable[[R], bool] | None = None,
        key: Callable[[R], Any] | None = None,
        on_change: Callable[["Hook[R]"], None] | None = None,
    ) -> None:
        self._window = window
        self._key = key
        self._on_change = on_change
        self._is_dirty = False
        self._subscription = window.subscribe(entity, on_change=self._changed, where=where)
        window.add(self, follows_status=True)
        end_with(ui.context.slot.parent, self.close)

    @property
    def data(self) -> list[R]:
        """The rows as last known, in the order of the hook."""
        rows = self._subscription.rows()
        return sorted(rows, key=self._key) if self._key else rows

    @property
    def status(self) -> FeedStatus:
        """What is known of the connection."""
        return self._subscription.status

    @property
    def error(self) -> str | None:
        """Why it is not connected, as a sentence; None while it is or has not yet tried."""
        return self.status.cause or None

    @property
    def is_connected(self) -> bool:
        """Whether `data` is live."""
        return self.is_loaded and self.status.status is ConnectionStatus.CONNECTED

    @property
    def is_loaded(self) -> bool:
        """Whether the rows are known, be they none."""
        return self._subscription.is_loaded

    def close(self) -> None:
        """End; idempotent."""
        self._window.discard(self)
        self._subscription.close()

    # As a part of the window

    def collect(self) -> None:
        if self._is_dirty and self._on_change:
            self._is_dirty = False
            self._on_change(self)

    def refresh(self) -> None:
        self._is_dirty = True
        self._window.mark_dirty()

    def _changed(self, _: list[Delta[R]]) -> None:
        self.refresh()


class InboxHook(Hook[R]):
    """What is addressed to the person in the window's organisation, latest first, and what they do with it.

    Each mark goes to the database and comes back to every window. Marking raises NotFound, PermissionDenied or
    DatabaseUnavailable.
    """

    def __init__(self, window: Window, entity: Entity[R], database: Database, *, inbox: Inbox, **options: Any) -> None:
        super().__init__(window, entity, **options)
        self._database = database
        self._inbox = inbox

    @property
    def unread_count(self) -> int:
        """How many wait to be read."""
        return sum(1 for row in self.data if self._inbox.is_unread(row))

    async def mark_as_read(self, id: UUID) -> None:
        """Mark one as read."""
        await self._inbox.mark(self._database, self._window.session.identity, id)

    async def mark_all_as_read(self) -> int:
        """Mark all in the window's organisation as read; returns how many were not."""
        return await self._inbox.mark_all(self._database, self._window.session.identity, self._window.org_id)


class AlertsHook(InboxHook[SignalAlert]):
    """The person's alerts, latest first."""

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
        """Those that run now."""
        return [run for run in self.data if run.status is AgentStatus.RUNNING]


OnChange = Callable[[Hook[R]], None]


def use_stream_progress(window: Window, stream_id: UUID, *, on_change: OnChange[Stream] | None = None) -> Hook[Stream]:
    """One stream; `data` is empty when there is none of that id here."""
    return Hook(window, STREAMS, where=lambda stream: stream.id == stream_id, on_change=on_change)


def use_all_streams_progress(window: Window, *, on_change: OnChange[Stream] | None = None) -> Hook[Stream]:
    """Every stream of the organisation, latest first."""
    return Hook(window, STREAMS, key=_newest, on_change=on_change)


def use_scan_progress(
    window: Window, scan_id: UUID, *, on_change: OnChange[AcquisitionScan] | None = None
) -> Hook[AcquisitionScan]:
    """One scan; `data` is empty when there is none of that id here."""
    return Hook(window, SCANS, where=lambda scan: scan.id == scan_id, on_change=on_change)


def use_agent_executions(
    window: Window, *, stream_id: UUID | None = None, on_change: OnChange[AgentExecution] | None = None
) -> AgentsHook:
    """The agent executions of the organisation, or of one stream."""
    where = (lambda run: run.stream_id == stream_id) if stream_id else None
    return AgentsHook(window, AGENTS, where=where, key=_newest, on_change=on_change)


def use_signal_alerts(
    window: Window, database: Database, *, on_change: OnChange[SignalAlert] | None = None
) -> AlertsHook:
    """The person's alerts."""
    return AlertsHook(
        window,
        ALERTS,
        database,
        inbox=ALERT_INBOX,
        key=lambda alert: _latest(alert.detected_at),
        on_change=on_change,
    )


def use_notifications(
    window: Window, database: Database, *, on_change: OnChange[Notification] | None = None
) -> InboxHook[Notification]:
    """The person's messages."""
    return InboxHook(window, NOTIFICATIONS, database, inbox=NOTIFICATION_INBOX, key=_newest, on_change=on_change)


class Heartbeat:
    """The truth about the paths from the database to this process, as their probes tell it; no timer of its own.

    Of several feeds it tells the slowest round trip, the latest event and all missed probes.
    """

    def __init__(self, window: Window, on_change: Callable[["Heartbeat"], None] | None) -> None:
        self._window = window
        self._on_change = on_change
        self._is_dirty = False
        window.add(self, follows_status=True)
        end_with(ui.context.slot.parent, self.close)

    @property
    def data(self) -> dict[Topic, FeedStatus]:
        """What is known of each of the window's feeds."""
        subscriptions = self._window.subscriptions()
        topics = {subscription.topic for subscription in subscriptions}
        return {
            topic: worst([subscription.status for subscription in subscriptions if subscription.topic == topic])
            for topic in topics
        }

    @property
    def status(self) -> FeedStatus:
        """The worst state among the window's feeds."""
        return self._window.status()

    @property
    def error(self) -> str | None:
        """Why it is not connected, as a sentence; None while it is or has not yet tried."""
        return self.status.cause or None

    @property
    def is_connected(self) -> bool:
        """Whether every feed of the window is connected."""
        return self.status.status is ConnectionStatus.CONNECTED

    @property
    def round_trip(self) -> float | None:
        """Seconds from a statement in the database to its event here, of the last probe; None while there is none."""
        return max((status.lag for status in self.data.values() if status.lag is not None), default=None)

    @property
    def last_event_age(self) -> float | None:
        """Seconds since the last event, as of now; None before the first."""
        times = [time for each in self._window.subscriptions() if (time := each.last_event_at)]
        return (datetime.now(UTC) - max(times)).total_seconds() if times else None

    @property
    def missed_probes(self) -> int:
        """Probes that did not come back since the feeds began."""
        return sum(status.missed_probes for status in self.data.values())

    def close(self) -> None:
        """End; idempotent."""
        self._window.discard(self)

    # As a part of the window

    def collect(self) -> None:
        if self._is_dirty and self._on_change:
            self._is_dirty = False
            self._on_change(self)

    def refresh(self) -> None:
        self._is_dirty = True
        self._window.mark_dirty()


def use_connection_heartbeat(window: Window, *, on_change: Callable[[Heartbeat], None] | None = None) -> Heartbeat:
    """Round trip, age of the last event and missed probes of the window's feeds."""
    return Heartbeat(window, on_change)


def _newest(row: Row) -> float:
    return _latest(row.created_at)


def _latest(time: datetime | None) -> float:
    """Sorts later times first."""
    return -time.timestamp() if time else 0.0
