"""Live counters over the rows of entities."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from components.window.batch import Batch
from services.entities import Entity
from services.realtime import Subscription


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """A count of the rows of an entity that satisfy `where`.

    Args:
        key: The stat that shows it.
        entity: Whose rows are counted.
        where: Keeps a row if true; must live as long as the process, since its counts are kept.
        hint: Returns a note below the value, given the count and the number of all rows.
        tone: Returns a tone of the value, given the count.
    """

    key: str
    entity: Entity[Any]
    where: Callable[[Any], bool]
    hint: Callable[[int, int], str | None] = lambda counted, total: None
    tone: Callable[[int], str | None] = lambda counted: None


class CountsView:
    """The values of counters by key; `subscriptions` holds one for the table of each counter's entity."""

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
