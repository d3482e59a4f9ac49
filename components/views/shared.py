"""Shared views: one view for all windows that show the same, computed and encoded once."""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Generic, Protocol, Self, runtime_checkable
from uuid import UUID

from nicegui import json

from components.window.batch import Batch, EncodedBatch, Missing, Payload
from services.entities import LiveTable, R, RowGroup
from services.lists.pages import PAGE_ROWS
from services.realtime.rows import D, Rows

MAX_PATCHES = 64
"""Patches that are kept; a window that is further behind gets a snapshot."""


class RowSource(Protocol[R]):
    """What a view reads rows from: a window's subscription, or all rows of a feed."""

    @property
    def is_loaded(self) -> bool: ...

    @property
    def is_denied(self) -> bool: ...

    @property
    def is_cut(self) -> bool: ...

    @property
    def is_complete(self) -> bool: ...

    @property
    def groups(self) -> Sequence[RowGroup[R]] | None: ...

    def rows(self) -> list[R]: ...

    def get(self, id: UUID) -> R | None: ...

    def derived(self, id: UUID, function: Callable[[R], D], *, epoch: int = 0) -> D | None: ...


@runtime_checkable
class Reaching(Protocol):
    """A row source that reads on."""

    @property
    def more(self) -> int:
        """How many more rows are read at a time; 0 if there are none to read."""

    @property
    def missing(self) -> Missing:
        """Why rows may exist that are not here."""


class AllRows(Generic[R]):
    """Every row of a feed's table, as a row source."""

    is_loaded = True
    is_denied = False

    def __init__(self, rows: Rows[R]) -> None:
        self._rows = rows
        self.get = rows.get
        self.derived = rows.derived

    @property
    def is_cut(self) -> bool:
        counted = self._rows.counted
        return self._rows.is_cut and (counted is None or counted > len(self._rows))

    @property
    def is_partial(self) -> bool:
        """Whether the rows that are here are not all of the list."""
        return self.is_cut

    @property
    def all_groups(self) -> Sequence[RowGroup[R]] | None:
        """All rows by groups; None if they were not counted."""
        return self._rows.groups

    @property
    def is_exact(self) -> bool:
        """Whether `groups` are all rows and not a lower bound."""
        return self._rows.groups is not None

    @property
    def complete_since(self) -> datetime | None:
        return self._rows.complete_since

    @property
    def entity(self) -> LiveTable[R]:
        return self._rows.entity

    @property
    def more(self) -> int:
        """See `JoinedRows`, which reads on when the reader comes near the end."""
        return PAGE_ROWS if self.is_cut else 0

    @property
    def missing(self) -> Missing:
        """See `JoinedRows`."""
        return "reading" if self.is_cut else "invalid" if self._rows.has_invalid else ""

    @property
    def is_complete(self) -> bool:
        return not self.is_cut and not self._rows.has_invalid

    @property
    def groups(self) -> Sequence[RowGroup[R]] | None:
        return self._rows.groups

    def rows(self) -> list[R]:
        return list(self._rows)


class CountedSource(RowSource[R], Protocol[R]):
    """A row source of which more is counted than is here; see `JoinedRows`."""

    @property
    def is_partial(self) -> bool: ...

    @property
    def all_groups(self) -> Sequence[RowGroup[R]] | None: ...

    @property
    def is_exact(self) -> bool: ...


class Shareable(Protocol):
    """A view whose payloads are the same in every window with the same query."""

    def full(self) -> Batch | None: ...

    def patch(self, dirty: Collection[UUID]) -> Batch | None: ...

    def resume_from(self, other: Self) -> None:
        """Take over the state of `other`, whose payloads the element has been sent."""


class SharedView:
    """A view and its latest patches as JSON, numbered.

    A window remembers the number of the last patch that it was sent. Pending changes are computed by the first window
    that asks.
    """

    def __init__(self, view: Shareable) -> None:
        self.view = view
        self._number = 0
        self._patches: list[EncodedBatch] = []
        self._dirty: set[UUID] = set()
        self._is_due = False
        self._epoch = -1
        self._snapshot: tuple[int, EncodedBatch | None] = (-1, None)

    def mark(self, id: UUID) -> None:
        """Mark a row dirty."""
        self._dirty.add(id)
        self._is_due = True

    def touch(self) -> None:
        """See `Markable`."""
        self._is_due = True

    def recheck(self, ids: Iterable[UUID], epoch: int) -> None:
        """Mark rows dirty since time has passed; once in each epoch, however many windows ask."""
        if epoch != self._epoch:
            self._epoch = epoch
            self._dirty.update(ids)
            self._is_due = True

    def snapshot(self) -> tuple[int, EncodedBatch | None]:
        """The number of the last patch and the full view as of then; None while it is not known."""
        self._update()
        if self._snapshot[0] != self._number:
            batch = self.view.full()
            self._snapshot = (self._number, _encode(batch) if batch else None)
        return self._snapshot

    def patches_since(self, number: int) -> tuple[int, Sequence[EncodedBatch] | None]:
        """The number of the last patch and the patches after `number`; None when these are no longer kept."""
        self._update()
        behind = self._number - number
        if behind > len(self._patches):
            return self._number, None
        return self._number, self._patches[len(self._patches) - behind :]

    def _update(self) -> None:
        if not self._is_due:
            return
        self._is_due = False
        dirty, self._dirty = self._dirty, set()
        if batch := self.view.patch(dirty):
            self._number += 1
            self._patches.append(_encode(batch))
            del self._patches[:-MAX_PATCHES]


class SharedViewCursor:
    """One window's position in a shared view, or a view of its own while there is nothing to share.

    Args:
        find: Returns the shared view that the window belongs to now; None when it shows something of its own.
        own: The window's own view.
    """

    def __init__(self, find: Callable[[], SharedView | None], own: Shareable) -> None:
        self._find = find
        self._own = own
        self._shared: SharedView | None = None
        self._number = 0

    @property
    def shown(self) -> Shareable:
        """The view whose content the window shows."""
        return self._shared.view if self._shared else self._own

    @property
    def is_shared(self) -> bool:
        """Whether the window shows what others show, too."""
        return self._shared is not None

    def full(self) -> Payload:
        self._shared = self._find()
        if self._shared is None:
            return self._own.full()
        self._number, snapshot = self._shared.snapshot()
        return snapshot

    def recheck(self, ids: Iterable[UUID], epoch: int) -> None:
        """Have the shared view look at rows again that time alone may have changed; the own view is told by `patch`."""
        if self._shared is not None:
            self._shared.recheck(ids, epoch)

    def has_news(self) -> bool:
        """Whether a payload is due after a change of rows; a window without any need not send a frame."""
        shared = self._find()
        return shared is None or shared is not self._shared or shared.patches_since(self._number)[0] != self._number

    def patch(self, dirty: Collection[UUID]) -> Payload:
        shared = self._find()
        if self._shared is None:
            return self._own.patch(dirty) if shared is None else self.full()
        if shared not in (None, self._shared):
            return self.full()
        self._number, patches = self._shared.patches_since(self._number)
        if shared is None:
            # From here on this window shows something of its own.
            self._own.resume_from(self._shared.view)
            self._shared = None
            if patches is not None and (own_patch := self._own.patch(dirty)):
                patches = [*patches, _encode(own_patch)]
        return self.full() if patches is None else patches


def shared_by(view: Callable[[AllRows[R]], Shareable]) -> Callable[[Rows[R]], SharedView]:
    """Return a factory for `Subscription.shared` that shares `view` over all rows."""
    return lambda rows: SharedView(view(AllRows(rows)))


def _encode(batch: Batch) -> EncodedBatch:
    return EncodedBatch(json.dumps(batch))
