"""What asks for a person's attention in one window: the unread counts, and arrivals since it was opened."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from components.presentation.rows import present_alert, present_notification, safe_url
from components.views.chat.unread import UnreadThreads
from components.window.batch import Batch
from services.entities import ALERTS, NOTIFICATIONS, Notification, NotificationType, Priority, SignalAlert
from services.realtime import Delta, Subscription

Message = SignalAlert | Notification
INBOX_PATHS = {"signal_alerts": "/alerts?show=unread", "notifications": "/notifications?show=unread"}
"""Where a table's unread rows are listed, for a group of messages."""
MAX_WAITING = 200
"""Arrivals of a batch that are sent whole; of the earlier ones only what counts."""
MAX_COUNTED = 10_000
MAX_ARRIVAL_AGE = timedelta(hours=1)
"""Age above which a row is no arrival: it came late because a full feed had no room for it."""


class AttentionView:
    """The unread counts by table, and arrivals: unread rows that came after `begin` of their table.

    Rows that were there at `begin` are no arrivals, and no row arrives twice, whatever the connection does. Arrivals
    that were read or deleted since are withdrawn.

    Args:
        subscriptions: One subscription per table.
        now: When the window was opened; the current time by default.
    """

    def __init__(self, subscriptions: Mapping[str, Subscription[Any]], *, now: datetime | None = None) -> None:
        self.unread: dict[str, int] = {}
        """The counts that the element was sent last."""
        self.messages: UnreadThreads | None = None
        """Unread messages of the chat, for which the tab has a dot."""
        self._subscriptions = subscriptions
        self._opened_at = now or datetime.now(UTC)
        self._known: dict[str, set[UUID]] = {}
        self._arrived: dict[UUID, Message] = {}
        self._sent: set[UUID] = set()
        self._withdrawn: set[UUID] = set()

    def begin(self, table: str) -> bool:
        """Take the rows of a loaded subscription as known; returns False when that was done before."""
        is_first = table not in self._known
        if is_first:
            self._known[table] = {row.id for row in self._subscriptions[table].rows()}
        return is_first

    def listener(self, table: str, then: Callable[[Iterable[Delta[Any]]], None]) -> Callable[[list[Delta[Any]]], None]:
        """Return an `on_change` for the table's subscription, which records arrivals and then calls `then`."""

        def changed(deltas: list[Delta[Any]]) -> None:
            for delta in deltas:
                self._record(table, delta)
            then(deltas)

        return changed

    def full(self) -> Batch | None:
        if len(self._known) < len(self._subscriptions):
            return None
        self.unread = {}
        return self.patch(())

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        changed: dict[str, dict[str, Any]] = {}
        unread = {
            table: each.count(is_unread).matching for table, each in self._subscriptions.items() if each.is_counted
        }
        if self.messages and self.messages.is_loaded:
            unread["messages"] = self.messages.total
        if unread != self.unread:
            self.unread = unread
            changed["unread"] = dict(unread)
        if rows := list(self._arrived.values()):
            brief = rows[: max(0, len(rows) - MAX_WAITING)]
            changed["arrived"] = {"rows": [*map(brief_arrival, brief), *map(present_arrival, rows[len(brief) :])]}
        if self._withdrawn:
            changed["read"] = {"ids": [str(id) for id in self._withdrawn]}
        self._sent.update(self._arrived)
        self._arrived, self._withdrawn = {}, set()
        return {"set": changed} if changed else None

    def _record(self, table: str, delta: Delta[Any]) -> None:
        known, row = self._known.get(table), delta.new
        if known is None:
            return
        if row is None and self._is_beyond(table, delta.id):
            return
        if row is None or not row.is_unread:
            self._arrived.pop(delta.id, None)
            if delta.id in self._sent:
                self._sent.discard(delta.id)
                self._withdrawn.add(delta.id)
        elif delta.id in self._arrived:
            self._arrived[delta.id] = row
        elif delta.id not in known and (row.created_at is None or row.created_at > self._opened_at - MAX_ARRIVAL_AGE):
            self._arrived[delta.id] = row
            if len(self._arrived) > MAX_COUNTED:
                del self._arrived[next(iter(self._arrived))]
        known.add(delta.id)

    def _is_beyond(self, table: str, id: UUID) -> bool:
        """Whether a row has left a full feed for newer ones, and is as unread as before."""
        subscription = self._subscriptions[table]
        return subscription.is_cut and not subscription.is_absent(id)


def is_unread(row: Message) -> bool:
    """Whether the recipient has not read a row."""
    return row.is_unread


def present_arrival(row: Message) -> dict[str, Any]:
    """The fields of a toast: `level` is the priority or type, `rank` its severity from 0 to 3, `href` its source."""
    if isinstance(row, SignalAlert):
        alert = present_alert(row)
        about = [alert["signal_type"], alert["company_name"], f"strength {row.signal_strength}"]
        return {
            **brief_arrival(row),
            "title": alert["target_name"],
            "message": " · ".join(filter(None, about)),
            "href": f"/streams/{row.stream_id}" if row.stream_id else ALERTS.row_path.format(id=row.id),
        }
    message = present_notification(row)
    return {
        **brief_arrival(row),
        "title": message["title"],
        "message": message["message"],
        "href": safe_url(row.action_url) or NOTIFICATIONS.row_path.format(id=row.id),
    }


def brief_arrival(row: Message) -> dict[str, Any]:
    """The fields by which an arrival counts in the toast of a group."""
    if isinstance(row, SignalAlert):
        priority = row.priority or Priority.LOW
        rank = list(Priority).index(priority)
        return {"id": str(row.id), "table": "signal_alerts", "level": priority.value, "rank": rank}
    rank = list(NotificationType).index(row.type)
    return {"id": str(row.id), "table": "notifications", "level": row.type.value, "rank": rank}
