"""What live elements show, computed from subscriptions: full views, and patches of what differs since the last one."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol
from uuid import UUID

from components.batch import Batch
from components.connection import present_connection
from services.entities import Entity, R
from services.realtime import FeedStatus, Subscription


class View(Protocol):
    """What a live element shows. Both methods return the element's batch, or None for nothing to send."""

    def full(self) -> Batch | None:
        """Everything, for an element that has just come or was stale."""

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        """What differs since the last batch, given the ids of the rows that changed."""


class RowsView(Generic[R]):
    """The rows of a subscription that pass `where`, sorted by `key`, at most `limit`, as the element's dicts."""

    def __init__(
        self,
        subscription: Subscription[R],
        *,
        present: Callable[[R], dict[str, Any]],
        key: Callable[[R], Any],
        where: Callable[[R], bool] | None = None,
        limit: int = 200,
    ) -> None:
        self.subscription = subscription
        self.where = where
        self.key = key
        self.limit = limit
        self._present = present
        self._sent: dict[UUID, dict[str, Any]] = {}
        self._keys: dict[UUID, Any] = {}
        self._order: list[UUID] = []

    def full(self) -> Batch | None:
        if not self.subscription.is_loaded:
            return None
        rows = self._rows()
        self._order = [row.id for row in rows]
        self._keys = {row.id: self.key(row) for row in rows}
        self._sent = {row.id: self._present(row) for row in rows}
        return {
            "reset": {
                "order": [str(id) for id in self._order],
                "rows": {str(id): fields for id, fields in self._sent.items()},
            }
        }

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        moved = False
        patches: dict[str, dict[str, Any]] = {}
        for id in dirty:
            row = self.subscription.get(id)
            shown = row is not None and (self.where is None or self.where(row))
            if not shown or row is None:
                moved = moved or id in self._sent
                continue
            if id not in self._sent or self._keys[id] != self.key(row):
                moved = True
            if id in self._sent:
                self._set(row, patches)
        batch: Batch = {}
        if moved:
            rows = self._rows()
            order = [row.id for row in rows]
            for row in rows:
                if row.id not in self._sent:
                    self._set(row, patches)
                self._keys[row.id] = self.key(row)
            for gone in self._sent.keys() - set(order):
                del self._sent[gone], self._keys[gone]
                patches.pop(str(gone), None)
            if order != self._order:
                self._order = order
                batch["order"] = [str(id) for id in order]
        if patches:
            batch["set"] = patches
        return batch or None

    def _set(self, row: R, patches: dict[str, dict[str, Any]]) -> None:
        fields = self._present(row)
        sent = self._sent.get(row.id, {})
        changed = {name: value for name, value in fields.items() if name not in sent or sent[name] != value}
        self._sent[row.id] = fields
        if changed:
            patches[str(row.id)] = changed

    def _rows(self) -> list[R]:
        rows = [row for row in self.subscription.rows() if self.where is None or self.where(row)]
        rows.sort(key=self.key)
        return rows[: self.limit]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """How many of an entity's rows satisfy `where`, for the stat `key`; `hint` is told that number and that of all."""

    key: str
    entity: Entity[Any]
    where: Callable[[Any], bool]
    hint: Callable[[int, int], str | None] = lambda counted, of: None
    tone: Callable[[int], str | None] = lambda counted: None


class CountsView:
    """Live counters for a StatGrid; `subscriptions` holds one for the table of each counter's entity."""

    def __init__(self, counters: Collection[Counter], subscriptions: Mapping[str, Subscription[Any]]) -> None:
        self._counters = counters
        self._subscriptions = subscriptions
        self._sent: dict[str, dict[str, Any]] = {}

    def full(self) -> Batch | None:
        if not all(subscription.is_loaded for subscription in self._subscriptions.values()):
            return None
        self._sent = {}
        return self.patch(())

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        changed: dict[str, dict[str, Any]] = {}
        for counter in self._counters:
            fields = _count(counter, self._subscriptions[counter.entity.table].rows())
            if fields != self._sent.get(counter.key):
                self._sent[counter.key] = changed[counter.key] = fields
        return {"set": changed} if changed else None


class ConnectionsView:
    """The states of named connections for chips; always sent whole, since they change seldom."""

    def __init__(self, statuses: Callable[[], Mapping[str, FeedStatus]]) -> None:
        self._statuses = statuses

    def full(self) -> Batch | None:
        return {"set": {name: present_connection(status) for name, status in self._statuses().items()}}

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        return None


def _count(counter: Counter, rows: list[Any]) -> dict[str, Any]:
    value = sum(1 for row in rows if counter.where(row))
    return {"value": value, "hint": counter.hint(value, len(rows)), "tone": counter.tone(value)}
