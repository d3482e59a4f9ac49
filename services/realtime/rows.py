"""The rows of one table on one topic: a pure reducer over snapshots and changes."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, cast
from uuid import UUID
from weakref import WeakValueDictionary

from pydantic import ValidationError

from services.entities import LiveTable, R, RowGroup
from services.realtime.transports.change import Change

MAX_TOMBSTONES = 10_000
D = TypeVar("D")


class Markable(Protocol):
    """A value computed from rows that must know which of them changed."""

    def mark(self, id: UUID) -> None:
        """Mark a row dirty."""

    def touch(self) -> None:
        """Compute again: what is known of the rows that are not here has changed."""


S = TypeVar("S", bound=Markable)

Quarantine = Callable[[str, str, str | None], None]
"""Called with the table, the id (as text, possibly malformed) and the reason of a row that failed validation; with None
for the reason once such a row is valid or gone."""


class Counts(NamedTuple):
    """How many rows satisfy a condition, how many there are in all, and whether that is all or a lower bound."""

    matching: int
    total: int
    is_exact: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta(Generic[R]):
    """One changed row: `old` is None when it appeared, `new` is None when it was removed."""

    id: UUID
    old: R | None
    new: R | None


class Rows(Generic[R]):
    """The valid rows of one table by id.

    Snapshots and changes may arrive late, twice or out of order; the rows converge to the table. An older version never
    overwrites a newer one, and a deleted row does not come back with an older event. A row that fails validation is
    quarantined: it is removed, since its last state is no longer true, and the others stay.
    """

    def __init__(self, entity: LiveTable[R], *, quarantine: Quarantine) -> None:
        self.entity = entity
        self.is_cut = False
        """Whether the table has rows beyond the entity's limit, which are not here."""
        self.complete_since: datetime | None = None
        """Time from which on every row of a cut table is here, by `entity.recent`; None if nothing is known of it."""
        self.is_counted = True
        """Whether the rows of a cut table have been counted, or were tried to."""
        self.groups: tuple[RowGroup[R], ...] | None = None
        """All rows of a cut table by groups, as last counted; None where they could not be counted."""
        self.counted: int | None = None
        """The number of all rows, likewise."""
        self._rows: dict[UUID, R] = {}
        self._derived: dict[UUID, dict[Callable[[R], Any], tuple[int, Any]]] = {}
        self._counts: dict[Callable[[R], bool], int] = {}
        self._shared: WeakValueDictionary[Hashable, Any] = WeakValueDictionary()
        self._invalid: dict[UUID, int] = {}
        self._absent: set[UUID] = set()
        self.absences = 0
        """Grows when a row is known not to exist that may have been elsewhere."""
        self._ended: OrderedDict[UUID, int] = OrderedDict()
        self._quarantine = quarantine

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[R]:
        return iter(self._rows.values())

    def get(self, id: UUID) -> R | None:
        """The valid row of that id, if there is one."""
        return self._rows.get(id)

    def derived(self, id: UUID, function: Callable[[R], D], *, epoch: int = 0) -> D | None:
        """The result of `function` for the row of that id, computed once for all callers; None without a row.

        Args:
            id: The row.
            function: Must live as long as the process.
            epoch: A result is computed again when the row or this number changes; for results that depend on time.
        """
        known = self._derived.get(id)
        if known is not None and (kept := known.get(function)) is not None and kept[0] == epoch:
            return cast(D, kept[1])
        row = self._rows.get(id)
        if row is None:
            return None
        value = function(row)
        self._derived.setdefault(id, {})[function] = (epoch, value)
        return value

    def count(self, where: Callable[[R], bool]) -> int:
        """The number of rows that satisfy `where`, kept up to date; `where` must live as long as the process."""
        if where not in self._counts:
            self._counts[where] = sum(1 for row in self if where(row))
        return self._counts[where]

    @property
    def has_invalid(self) -> bool:
        """Whether some rows failed validation, and are not here for that."""
        return bool(self._invalid)

    def cut(self, is_cut: bool, *, complete_since: datetime | None = None) -> None:
        """Note whether the latest snapshot left rows out; what was counted before stays until the next count."""
        if not is_cut:
            self.groups = self.counted = None
        elif not self.is_cut:
            self.is_counted = False
        self.is_cut = is_cut
        self.complete_since = complete_since if is_cut else None
        self._touch()

    def is_absent(self, id: UUID) -> bool:
        """Whether the row of that id is known not to exist, by its deletion or since the database was asked."""
        return (id in self._ended or id in self._absent) and id not in self._rows

    def note_absent(self, ids: Iterable[UUID]) -> None:
        """Note that the database has no such rows now."""
        self._absent.update(ids)
        self.absences += 1

    def count_all(self, groups: tuple[RowGroup[R], ...] | None) -> None:
        """Take all rows of the cut table by groups; None if they could not be counted."""
        self.groups = groups if self.is_cut else None
        self.counted = None if self.groups is None else sum(group.count for group in self.groups)
        self.is_counted = True
        self._touch()

    def _touch(self) -> None:
        for shared in self._shared.values():
            shared.touch()

    def shared(self, key: Hashable, make: Callable[["Rows[R]"], S]) -> S:
        """The value of `make` for these rows, shared by all callers with that key while one of them keeps it."""
        found: S | None = self._shared.get(key)
        if found is None:
            found = self._shared[key] = make(self)
        return found

    def apply(self, change: Change) -> Delta[R] | None:
        """Apply one event; returns the change of the row, or None for an outdated event."""
        old = self._rows.get(change.id)
        if change.record is None:
            if old and 0 < change.version < old.version:
                return None
            # A key without a version, as postgres_changes sends, may be of a foreign row; only a version is kept.
            self._release(change.id)
            if version := max(change.version, old.version if old else 0):
                self._end(change.id, version)
            return self._remove(change.id)
        outdated = max(self._ended.get(change.id, -1), self._invalid.get(change.id, -1))
        if change.version <= outdated or (old and change.version <= old.version):
            return None
        new = self._validate(change.record)
        if new is None:
            return self._remove(change.id)
        self._put(new)
        return Delta(id=change.id, old=old, new=new)

    def replace(self, records: Iterable[Mapping[str, Any]], *, adopts_older: bool = False) -> list[Delta[R]]:
        """Apply a snapshot of the whole table; returns the changed rows.

        Changes that arrive while it is read must be buffered and applied after it.

        Args:
            records: All rows of the table, as the database renders them.
            adopts_older: Take rows of an older version, too: the database may have been restored to an earlier state.
        """
        deltas = []
        seen = set()
        self._absent.clear()
        were_invalid = set(self._invalid)
        self._invalid.clear()
        for record in records:
            new = self._validate(record)
            if new is None:
                continue
            seen.add(new.id)
            old = self._rows.get(new.id)
            if adopts_older:
                self._ended.pop(new.id, None)
            known = max(old.version if old else -1, self._ended.get(new.id, -1))
            if new.version == known or (new.version < known and not adopts_older):
                continue
            self._put(new)
            deltas.append(Delta(id=new.id, old=old, new=new))
        for gone in [id for id in self._rows if id not in seen]:
            if delta := self._remove(gone):
                deltas.append(delta)
        for released in were_invalid - self._invalid.keys():
            self._quarantine(self.entity.table, str(released), None)
        return deltas

    def versions(self) -> dict[UUID, int]:
        """The last seen version of each row, quarantined rows included, to compare with the table."""
        return self._invalid | {id: row.version for id, row in self._rows.items()}

    def _put(self, row: R) -> None:
        self._release(row.id)
        self._absent.discard(row.id)
        self._note(row.id, self._rows.get(row.id), row)
        self._rows[row.id] = row

    def _remove(self, id: UUID) -> Delta[R] | None:
        old = self._rows.pop(id, None)
        if old:
            self._note(id, old, None)
        return Delta(id=id, old=old, new=None) if old else None

    def _note(self, id: UUID, old: R | None, new: R | None) -> None:
        """Update what is computed from the rows."""
        self._derived.pop(id, None)
        for where in self._counts:
            self._counts[where] += bool(new and where(new)) - bool(old and where(old))
        for shared in self._shared.values():
            shared.mark(id)

    def _release(self, id: UUID) -> None:
        if self._invalid.pop(id, None) is not None:
            self._quarantine(self.entity.table, str(id), None)

    def _end(self, id: UUID, version: int) -> None:
        self.absences += 1
        self._ended[id] = max(version, self._ended.get(id, 0))
        self._ended.move_to_end(id)
        if len(self._ended) > MAX_TOMBSTONES:
            self._ended.popitem(last=False)

    def _validate(self, record: Mapping[str, Any]) -> R | None:
        try:
            return self.entity.model.read(record)
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
                for problem in error.errors(include_url=False, include_input=False, include_context=False)
            )
            self._quarantine(self.entity.table, str(record.get("id")), problems)
            with suppress(KeyError, TypeError, ValueError):
                self._invalid[UUID(record["id"])] = int(record["version"])
            return None
