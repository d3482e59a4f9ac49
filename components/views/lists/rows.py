"""The rows of a list as one window sees them: filtered, in an order that holds still, the part near the eye."""

from collections.abc import Callable, Collection, Hashable
from typing import Any, Generic, Self
from uuid import UUID

from components.views.lists.folds import Folds
from components.views.shared import Reaching, RowSource
from components.window.batch import Batch, Missing, Reset, Waiting
from services.entities import R

MAX_ROWS = 200
_Position = tuple[int, int, int, Waiting, Missing]


class RowsView(Generic[R]):
    """The rows of a source that pass `where`, sorted by `key`, as the fields of a live list.

    The element holds at most `limit` rows from the index `first` on; `scroll` moves that part. Nothing jumps while it
    is read: once the reader has scrolled into the list, or while the order `is_volatile`, rows keep their places, new
    rows wait, and the element is told how many. `full` puts every row in its place. A row that was deleted or no longer
    passes leaves at once. Of rows with the same `fold` only the first is shown, with the number of the others.

    Args:
        source: The rows.
        present: Makes the fields of a row; must live as long as the process, since its results are shared by windows.
        key: Sorts the rows; must live as long as the process.
        where: Keeps a row if true.
        fold: Returns what a row has in common with others; must live as long as the process.
        is_volatile: Whether the order changes with the work itself.
        limit: Number of rows that the element holds.
    """

    def __init__(
        self,
        source: RowSource[R],
        *,
        present: Callable[[R], dict[str, Any]],
        key: Callable[[R], Any],
        where: Callable[[R], bool] | None = None,
        fold: Callable[[R], Hashable] | None = None,
        is_volatile: bool = False,
        limit: int = MAX_ROWS,
    ) -> None:
        self.where = where
        self.key = key
        self.is_volatile = is_volatile
        self.limit = limit
        self.first = 0
        self.is_read = False
        """Whether the reader has left the beginning of the list."""
        self.is_filtered = False
        self.folds = Folds(fold)
        self._source = source
        self._present = present
        self._order: list[UUID] = []
        self._unfolded: list[UUID] = []
        self._rank: dict[UUID, int] = {}
        self._keys: dict[UUID, Any] = {}
        self._new: set[UUID] = set()
        self._moved: set[UUID] = set()
        self._shown: list[UUID] = []
        self._sent: dict[UUID, dict[str, Any]] = {}
        self._sent_position: _Position = (0, 0, 0, {"new": 0, "moved": False}, "")
        self._sent_folds: dict[str, int] = {}

    def resume_from(self, other: Self) -> None:
        """Take over the state of `other`, whose reader is at the beginning."""
        self._order, self._rank, self._keys = other._order, dict(other._rank), dict(other._keys)
        self._new, self._moved = set(other._new), set(other._moved)
        self._shown, self._sent, self._sent_position = other._shown, dict(other._sent), other._sent_position
        self._unfolded, self._sent_folds = other._unfolded, other._sent_folds
        self.folds.resume_from(other.folds)

    def scroll(self, first: int, *, is_read: bool) -> None:
        """Show the rows from the index `first` on; `is_read` says that the reader has left the beginning."""
        self.first = max(0, first)
        self.is_read = is_read

    def full(self) -> Batch | None:
        if self._source.is_denied:
            self._sent, self._keys = {}, {}
            self._arrange([])
            return {"reset": {"order": [], "rows": {}, "first": 0, "total": 0, "missing": "refused"}}
        if not self._source.is_loaded:
            return None
        rows = {row.id: row for row in self._source.rows() if self._passes(row)}
        derived = self._source.derived
        self._keys = {id: derived(id, self.key) for id in rows}
        self.folds.forget()
        for id in rows if self.folds.key else ():
            self._refold(id)
        if self.is_read and self._order:
            self._keep(rows)
        else:
            self._arrange(sorted(rows, key=self._place_of))
            self._new.clear()
            self._moved.clear()
        self._show()
        self._sent = {id: fields for id in self._shown if (fields := derived(id, self._present)) is not None}
        self._sent_position = self._position()
        self._sent_folds = self.folds.counts()
        first, total, more, waiting, missing = self._sent_position
        reset: Reset = {
            "order": [str(id) for id in self._shown],
            "rows": {str(id): fields for id, fields in self._sent.items()},
            "first": first,
            "total": total,
            "more": more,
            "waiting": waiting,
            "filtered": self.is_filtered,
            "missing": missing,
            "folds": self._sent_folds,
        }
        return {"reset": reset}

    def is_short_of(self, count: int) -> bool:
        """Whether there are fewer than `count` rows from the first that the element holds on."""
        return self.first + count > len(self._unfolded)

    def settle(self) -> None:
        """Have the next `full` put every row in its place, wherever the reader is."""
        self._arrange([])

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        if not self._source.is_loaded:
            return self.full()
        gone = refolded = False
        for id in dirty:
            row = self._source.get(id)
            if row is None or not self._passes(row):
                gone = self._keys.pop(id, None) is not None or gone
                self._new.discard(id)
                self._moved.discard(id)
                self.folds.forget([id])
                continue
            refolded = self._refold(id) or refolded
            key = self._source.derived(id, self.key)
            if id not in self._keys:
                self._new.add(id)
            elif self._keys[id] == key:
                continue
            self._keys[id] = key
        if gone:
            self._arrange([id for id in self._order if id in self._keys])
        for id in dirty:
            if id in self._rank:
                (self._moved.add if self._is_misplaced(id) else self._moved.discard)(id)
        if not self.is_read and self._new:
            self._insert()
        if not self.is_read and self._moved and not self.is_volatile:
            self._moved.clear()
            self._arrange(sorted(self._keys, key=self._place_of))
        elif refolded:
            self._arrange(self._order)
        return self._difference(dirty)

    def _refold(self, id: UUID) -> bool:
        """Whether the row belongs with others than before."""
        return self.folds.key is not None and self.folds.update(id, self._source.derived(id, self.folds.key))

    def _place_of(self, id: UUID) -> tuple[Any, UUID]:
        """Sort key of an id; rows with equal keys are in the same order in every window."""
        return self._keys[id], id

    def _is_misplaced(self, id: UUID) -> bool:
        place, key = self._rank[id], self._keys[id]
        before, after = self._order[max(0, place - 1)], self._order[min(place + 1, len(self._order) - 1)]
        return bool(self._keys[before] > key or self._keys[after] < key)

    def _insert(self) -> None:
        """Insert the new rows; the others keep their places."""
        if not self._moved:
            self._arrange(sorted(self._keys, key=self._place_of))
        else:
            order = list(self._order)
            for id in self._new:
                key = self._keys[id]
                order.insert(next((at for at, each in enumerate(order) if self._keys[each] > key), len(order)), id)
            self._arrange(order)
        self._new.clear()

    def _keep(self, ids: Collection[UUID]) -> None:
        """Keep the order of the rows that are left; those beyond all that were there before follow it, others wait."""
        kept = [id for id in self._order if id in ids]
        last = max(map(self._place_of, kept), default=None)
        fresh = set(ids) - self._rank.keys()
        beyond = sorted((id for id in fresh if last is None or self._place_of(id) > last), key=self._place_of)
        self._arrange([*kept, *beyond])
        self._new = fresh.difference(beyond)

    def _arrange(self, order: list[UUID]) -> None:
        self._order = order
        self._rank = {id: place for place, id in enumerate(order)}
        self._unfolded = self.folds.apply(order, kept=self._unfolded if self.is_read else ())

    def _difference(self, dirty: Collection[UUID]) -> Batch | None:
        batch: Batch = {}
        patches: dict[str, dict[str, Any]] = {}
        for id in dirty:
            if id in self._sent and id in self._rank:
                self._set(id, patches)
        shown = self._shown
        self._show()
        if self._shown != shown:
            batch["order"] = [str(id) for id in self._shown]
            kept = set(self._shown)
            for id in self._sent.keys() - kept:
                del self._sent[id]
                patches.pop(str(id), None)
            for id in self._shown:
                if id not in self._sent:
                    self._set(id, patches)
        if patches:
            batch["set"] = patches
        if (position := self._position()) != self._sent_position:
            self._sent_position = position
            batch["first"], batch["total"], batch["more"], batch["waiting"], batch["missing"] = position
        if (folds := self.folds.counts()) != self._sent_folds:
            batch["folds"] = self._sent_folds = folds
        return batch or None

    def _set(self, id: UUID, patches: dict[str, dict[str, Any]]) -> None:
        fields = self._source.derived(id, self._present)
        sent = self._sent.get(id, {})
        if fields is None or fields is sent:
            return
        changed = {name: value for name, value in fields.items() if name not in sent or sent[name] != value}
        self._sent[id] = fields
        if changed:
            patches[str(id)] = changed

    def _show(self) -> None:
        self.first = max(0, min(self.first, len(self._unfolded) - 1))
        self._shown = self._unfolded[self.first : self.first + self.limit]

    def _position(self) -> "_Position":
        waiting: Waiting = {"new": len(self._new), "moved": bool(self._moved)}
        more = self._source.more if isinstance(self._source, Reaching) else 0
        return self.first, len(self._unfolded), more, waiting, missing_of(self._source)

    def _passes(self, row: R) -> bool:
        return self.where is None or self.where(row)


def missing_of(source: RowSource[Any]) -> Missing:
    """Return why rows may exist that the source does not hold; empty if there are none."""
    if source.is_denied:
        return "refused"
    if isinstance(source, Reaching):
        return source.missing
    if source.is_cut:
        return "older"
    return "" if source.is_complete else "invalid"
