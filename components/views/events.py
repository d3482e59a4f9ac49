"""What the realtime inspector shows: one entry for each change of a row, with what changed and how old the news is."""

from collections import deque
from collections.abc import Callable, Collection
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from components.presentation.rows import epoch_ms
from components.window.batch import Batch
from services.entities import Row
from services.entities.entity import Entity
from services.realtime import Delta

MAX_EVENTS = 500
MAX_TEXT = 80
# What every change changes is no news.
IGNORED_FIELDS = {"version", "updated_at", "rate_window"}
NAMES = ("name", "title", "agent_name", "target_name", "subject_name")


class EventsView:
    """The last events of several entities; hand `listener(entity)` to a subscription, tell `begin` once it is loaded.

    What is there at the beginning is no event. Only what has not been sent yet is sent.
    """

    def __init__(self) -> None:
        self._events: deque[dict[str, Any]] = deque(maxlen=MAX_EVENTS)
        self._count = 0
        self._sent = 0
        self._listening: set[str] = set()

    def begin(self, entity: Entity[Any]) -> None:
        """From now on what arrives of the entity is an event."""
        self._listening.add(entity.table)

    def listener(self, entity: Entity[Any], then: Callable[[list[Delta[Any]]], None]) -> Callable[[Any], None]:
        """A callback for changes of the entity, which notes them and then calls `then`."""

        def changed(deltas: list[Delta[Any]]) -> None:
            if entity.table in self._listening:
                for delta in deltas:
                    self._count += 1
                    self._events.append({"n": self._count, "table": entity.table, **present_event(delta)})
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


def present_event(delta: Delta[Any]) -> dict[str, Any]:
    """One change of a row: times as epoch milliseconds; `lag_ms` from the row's `updated_at` until now."""
    now = datetime.now(UTC)
    row = delta.new or delta.old
    assert row is not None
    return {
        "at": epoch_ms(now),
        "id": str(delta.id),
        "event": "DELETE" if delta.new is None else "INSERT" if delta.old is None else "UPDATE",
        "name": next((str(getattr(row, name)) for name in NAMES if hasattr(row, name)), "")[:MAX_TEXT],
        "version": row.version,
        "lag_ms": _lag_ms(delta.new, now),
        "changed": _changed(delta.old, delta.new) if delta.old and delta.new else [],
    }


def _lag_ms(row: Row | None, now: datetime) -> float | None:
    updated_at = row.updated_at if row else None
    return round((now - updated_at).total_seconds() * 1000, 1) if updated_at else None


def _changed(old: Row, new: Row) -> list[list[str]]:
    """Name, old and new value of each field that differs."""
    names = (name for name in type(new).model_fields if name not in IGNORED_FIELDS and name != "last_progress_at")
    return [
        [name, _brief(getattr(old, name)), _brief(getattr(new, name))]
        for name in names
        if getattr(old, name) != getattr(new, name)
    ]


def _brief(value: Any) -> str:
    text = "none" if value is None else value.isoformat() if isinstance(value, date) else str(value)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
