"""Live counters over the rows of entities."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from components.window.batch import Batch
from services.entities import Entity
from services.realtime import Subscription
from services.realtime.rows import Counts


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
    """The values of counters by key; `subscriptions` holds one for the table of each counter's entity.

    A value is None while it cannot be known; `at_least` says that it is a lower bound.
    """

    def __init__(self, counters: Collection[Counter], subscriptions: Mapping[str, Subscription[Any]]) -> None:
        self._counters = counters
        self._subscriptions = subscriptions
        self._counts: dict[str, Counts | None] = {}

    def full(self) -> Batch | None:
        if not all(each.is_loaded or each.is_denied for each in self._subscriptions.values()):
            return None
        self._counts = {}
        return self.patch(())

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        changed: dict[str, dict[str, Any]] = {}
        for counter in self._counters:
            subscription = self._subscriptions[counter.entity.table]
            if not subscription.is_counted and not subscription.is_denied:
                continue
            counts = None if subscription.is_denied else subscription.count(counter.where)
            if counts is None or counts != self._counts.get(counter.key):
                self._counts[counter.key] = counts
                changed[counter.key] = _fields(counter, counts)
        return {"set": changed} if changed else None


def _fields(counter: Counter, counts: Counts | None) -> dict[str, Any]:
    if counts is None:
        return {"value": None, "hint": None, "tone": None, "at_least": False}
    hint = counter.hint(counts.matching, counts.total)
    return {
        "value": counts.matching,
        "hint": hint if counts.is_exact or not hint else f"{hint}+",
        "tone": counter.tone(counts.matching),
        "at_least": not counts.is_exact,
    }
