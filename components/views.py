"""What live elements show, computed from subscriptions: full views, and patches of what differs since the last one."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from components.batch import Batch
from components.connection import present_connection
from services.entities import Entity
from services.realtime import FeedStatus, Subscription


class View(Protocol):
    """What a live element shows. Both methods return the element's batch, or None for nothing to send."""

    def full(self) -> Batch | None:
        """Everything, for an element that has just come or was stale."""

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        """What differs since the last batch, given the ids of the rows that changed."""


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
        self._known: dict[str, set[UUID]] = {table: set() for table in subscriptions}
        self._counted: dict[str, set[UUID]] = {counter.key: set() for counter in counters}
        self._sent: dict[str, dict[str, Any]] = {}

    def full(self) -> Batch | None:
        if not all(subscription.is_loaded for subscription in self._subscriptions.values()):
            return None
        self._sent = {}
        rows = {table: subscription.rows() for table, subscription in self._subscriptions.items()}
        self._known = {table: {row.id for row in there} for table, there in rows.items()}
        for counter in self._counters:
            self._counted[counter.key] = {row.id for row in rows[counter.entity.table] if counter.where(row)}
        return self._difference()

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        for counter in self._counters:
            subscription = self._subscriptions[counter.entity.table]
            known, counted = self._known[counter.entity.table], self._counted[counter.key]
            for id in dirty:
                is_there = subscription.get(id) is not None
                (known.add if is_there else known.discard)(id)
                (counted.add if is_there and subscription.derived(id, counter.where) else counted.discard)(id)
        return self._difference()

    def _difference(self) -> Batch | None:
        changed: dict[str, dict[str, Any]] = {}
        for counter in self._counters:
            count, of = len(self._counted[counter.key]), len(self._known[counter.entity.table])
            fields = {"value": count, "hint": counter.hint(count, of), "tone": counter.tone(count)}
            if fields != self._sent.get(counter.key):
                self._sent[counter.key] = changed[counter.key] = fields
        return {"set": changed} if changed else None


class FieldsView:
    """Fields by key, computed whenever they are shown or refreshed."""

    def __init__(self, fields: Callable[[], Mapping[str, Mapping[str, Any]]]) -> None:
        self._fields = fields

    def full(self) -> Batch | None:
        return {"set": {key: dict(fields) for key, fields in self._fields().items()}}

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        return None


class ConnectionsView:
    """The states of named connections for chips; always sent whole, since they change seldom."""

    def __init__(self, statuses: Callable[[], Mapping[str, FeedStatus]]) -> None:
        self._statuses = statuses

    def full(self) -> Batch | None:
        return {"set": {name: present_connection(status) for name, status in self._statuses().items()}}

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        return None
