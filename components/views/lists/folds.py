"""Folds of a list: rows that belong together, of which only the first is shown."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Generic, Self
from uuid import UUID

from services.entities import R


class Folds(Generic[R]):
    """Knows which rows of a list have the same `key`, and leaves all but the first of them out of an order.

    Args:
        key: Returns what a row has in common with others; None keeps it apart. None folds nothing.
    """

    def __init__(self, key: Callable[[R], Hashable] | None = None) -> None:
        self.key = key
        self.opened: set[Hashable] = set()
        """Keys whose rows are all shown."""
        self._keys: dict[UUID, Hashable] = {}
        self._hidden: Counter[Hashable] = Counter()
        self._first: dict[Hashable, UUID] = {}

    def resume_from(self, other: Self) -> None:
        """Take over the state of `other`."""
        self._keys, self._hidden, self._first = dict(other._keys), other._hidden.copy(), dict(other._first)

    def forget(self, ids: Iterable[UUID] | None = None) -> None:
        """Forget the rows with these ids; all by default."""
        for id in list(self._keys) if ids is None else ids:
            self._keys.pop(id, None)

    def update(self, id: UUID, key: Hashable) -> bool:
        """Set the key of a row; returns whether it changed."""
        if self._keys.get(id) == key:
            return False
        if key is None:
            del self._keys[id]
        else:
            self._keys[id] = key
        return True

    def apply(self, order: Sequence[UUID], *, kept: Iterable[UUID] = ()) -> list[UUID]:
        """Return the order without the rows that are folded; those in `kept` stay."""
        self._hidden.clear()
        self._first.clear()
        if not self._keys:
            return list(order)
        staying = set(kept)
        shown = []
        for id in order:
            key = self._keys.get(id)
            if key is None or key in self.opened:
                shown.append(id)
            elif id in staying or key not in self._first:
                self._first.setdefault(key, id)
                shown.append(id)
            else:
                self._hidden[key] += 1
        return shown

    def counts(self) -> dict[str, int]:
        """The number of hidden rows by the id of the row that is shown instead."""
        return {str(self._first[key]): count for key, count in self._hidden.items()}
