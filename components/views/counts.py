"""What live elements show, computed from subscriptions: full views, and patches of what differs since the last one."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from components.elements.connection.connection_status import present_connection
from components.window.batch import Batch, Payload
from services.entities.entity import Entity
from services.realtime import FeedStatus, Subscription


class View(Protocol):
    """What a live element shows. Both methods return what to send to the element."""

    def full(self) -> Payload:
        """Everything, for an element that has just come or was stale."""

    def patch(self, dirty: Collection[UUID]) -> Payload:
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
        self._counts: dict[str, tuple[int, int]] = {}

    def full(self) -> Batch | None:
        if not all(subscription.is_loaded for subscription in self._subscriptions.values()):
            return None
        self._counts = {}
        return self.patch(())

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        changed: dict[str, dict[str, Any]] = {}
        for counter in self._counters:
            counts = self._subscriptions[counter.entity.table].count(counter.where)
            if counts != self._counts.get(counter.key):
                self._counts[counter.key] = counts
                hint, tone = counter.hint(*counts), counter.tone(counts[0])
                changed[counter.key] = {"value": counts[0], "hint": hint, "tone": tone}
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
