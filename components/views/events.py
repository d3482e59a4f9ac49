"""The entries of the realtime inspector: one for each change of a row, with its changed fields and its lag."""

from collections import deque
from collections.abc import Callable, Collection
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from components.presentation.time import epoch_ms
from components.window.batch import Batch
from services.entities import Entity, Row
from services.realtime import Delta

MAX_EVENTS = 500
MAX_TEXT = 80
IGNORED_FIELDS = {"version", "updated_at", "rate_window", "last_progress_at"}
"""Fields that every change changes."""


class EventsView:
    """The latest changes of several entities; each is sent once.

    Hand `listener(entity)` to the entity's subscription, and call `begin` once that is loaded: rows that are there by
    then are no events.
    """

    def __init__(self) -> None:
        self._events: deque[dict[str, Any]] = deque(maxlen=MAX_EVENTS)
        self._count = 0
        self._sent = 0
        self._begun: set[str] = set()

    def begin(self, entity: Entity[Any]) -> None:
        """Record the entity's changes from now on; idempotent."""
        self._begun.add(entity.table)

    def listener(self, entity: Entity[Any], then: Callable[[list[Delta[Any]]], None]) -> Callable[[Any], None]:
        """Return an `on_change` for the entity's subscription, which records events and then calls `then`."""

        def changed(deltas: list[Delta[Any]]) -> None:
            if entity.table in self._begun:
                for delta in deltas:
                    self._count += 1
                    self._events.append({"n": self._count, "table": entity.table, **present_event(entity, delta)})
                then(deltas)

        return changed

    def full(self) -> Batch | None:
        self._sent = self._count
        return {"set": {"events": {"all": list(self._events)}}}

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        fresh = [event for event in self._events if event["n"] > self._sent]
        missed = self._count - self._sent - len(fresh)
        self._sent = self._count
        return {"set": {"events": {"more": fresh, "missed": missed}}} if fresh else None


def present_event(entity: Entity[Any], delta: Delta[Any]) -> dict[str, Any]:
    """The fields of one event: times in epoch milliseconds, `lag_ms` from the row's `updated_at` until now."""
    now = datetime.now(UTC)
    row = delta.new or delta.old
    assert row is not None
    return {
        "at": epoch_ms(now),
        "id": str(delta.id),
        "event": "DELETE" if delta.new is None else "INSERT" if delta.old is None else "UPDATE",
        "name": entity.layout.title(row)[:MAX_TEXT],
        "version": row.version,
        "lag_ms": _lag_ms(delta.new, now),
        "changed": _changed_fields(delta.old, delta.new) if delta.old and delta.new else [],
    }


def _lag_ms(row: Row | None, now: datetime) -> float | None:
    updated_at = row.updated_at if row else None
    return round((now - updated_at).total_seconds() * 1000, 1) if updated_at else None


def _changed_fields(old: Row, new: Row) -> list[list[str]]:
    """Name, old value and new value of each changed field."""
    return [
        [name, _shortened(getattr(old, name)), _shortened(getattr(new, name))]
        for name in type(new).model_fields
        if name not in IGNORED_FIELDS and getattr(old, name) != getattr(new, name)
    ]


def _shortened(value: Any) -> str:
    text = "none" if value is None else value.isoformat() if isinstance(value, date) else str(value)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
