"""What asks for a person's attention in one window: how much is unread, and what arrived since it was opened."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from components.presentation.rows import present_alert, present_notification, safe_address
from components.window.batch import Batch
from services.entities import Notification, NotificationType, Priority, SignalAlert
from services.realtime import Delta, Subscription

Message = SignalAlert | Notification
# Where all of a table are, for what leads nowhere else.
INBOXES = {"signal_alerts": "/alerts?show=unread", "notifications": "/notifications?show=unread"}
MAX_WAITING = 200
# A row that a full feed had no room for may come late; it is no arrival.
MAX_ARRIVAL_AGE = timedelta(hours=1)


class AttentionView:
    """The unread rows by table, and the arrivals: rows that came, unread, after `begin` of their table.

    `unread` is what the element was told last. Hand `listener(table)` to the table's subscription. Nothing that was
    there at the beginning is an arrival, and no row arrives twice, whatever the connection does. Of arrivals that were
    read or deleted since, the element is told.
    """

    def __init__(self, subscriptions: Mapping[str, Subscription[Any]], *, now: datetime | None = None) -> None:
        self._subscriptions = subscriptions
        self._opened_at = now or datetime.now(UTC)
        self._known: dict[str, set[UUID]] = {}
        self._waiting: dict[UUID, str] = {}
        self._told: set[UUID] = set()
        self._read: set[UUID] = set()
        self.unread: dict[str, int] = {}

    def begin(self, table: str) -> bool:
        """What is there now was there before; call it once the subscription is loaded. Returns whether it is news."""
        is_news = table not in self._known
        if is_news:
            self._known[table] = {row.id for row in self._subscriptions[table].rows()}
        return is_news

    def listener(self, table: str, then: Callable[[Iterable[Delta[Any]]], None]) -> Callable[[list[Delta[Any]]], None]:
        """A callback for changes of the table, which notes what arrived and then calls `then`."""

        def changed(deltas: list[Delta[Any]]) -> None:
            for delta in deltas:
                self._note(table, delta)
            then(deltas)

        return changed

    def full(self) -> Batch | None:
        if len(self._known) < len(self._subscriptions):
            return None
        self.unread = {}
        return self.patch(())

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        changed: dict[str, dict[str, Any]] = {}
        unread = {table: sum(row.is_unread for row in each.rows()) for table, each in self._subscriptions.items()}
        if unread != self.unread:
            self.unread = unread
            changed["unread"] = dict(unread)
        rows = [row for id, table in self._waiting.items() if (row := self._subscriptions[table].get(id))]
        if rows:
            changed["arrived"] = {"rows": [present_arrival(row) for row in rows]}
        if self._read:
            changed["read"] = {"ids": [str(id) for id in self._read]}
        self._told.update(self._waiting)
        self._waiting, self._read = {}, set()
        return {"set": changed} if changed else None

    def _note(self, table: str, delta: Delta[Any]) -> None:
        known, row = self._known.get(table), delta.new
        if known is None:
            return
        if row is None or not row.is_unread:
            self._waiting.pop(delta.id, None)
            if delta.id in self._told:
                self._told.discard(delta.id)
                self._read.add(delta.id)
        elif delta.id not in known and (row.created_at is None or row.created_at > self._opened_at - MAX_ARRIVAL_AGE):
            self._waiting[delta.id] = table
            if len(self._waiting) > MAX_WAITING:
                del self._waiting[next(iter(self._waiting))]
        known.add(delta.id)


def present_arrival(row: Message) -> dict[str, Any]:
    """A toast: `level` is the priority or type, `rank` from 0 to 3 how much it matters, `href` leads to its source."""
    if isinstance(row, SignalAlert):
        alert = present_alert(row)
        priority = row.priority or Priority.LOW
        about = [alert["signal_type"], row.company_name, f"strength {row.signal_strength}"]
        return {
            "id": str(row.id),
            "table": "signal_alerts",
            "level": priority.value,
            "rank": list(Priority).index(priority),
            "title": row.target_name,
            "message": " · ".join(filter(None, about)),
            "href": f"/streams/{row.stream_id}" if row.stream_id else INBOXES["signal_alerts"],
        }
    message = present_notification(row)
    return {
        "id": str(row.id),
        "table": "notifications",
        "level": row.type.value,
        "rank": list(NotificationType).index(row.type),
        "title": message["title"],
        "message": message["message"],
        "href": safe_address(row.action_url) or INBOXES["notifications"],
    }
