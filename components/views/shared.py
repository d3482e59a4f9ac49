"""One view for all windows that show the same: computed once, written once."""

from collections.abc import Callable, Collection, Sequence
from typing import Generic, Protocol, Self
from uuid import UUID

from nicegui import json

from components.window.batch import Batch, EncodedBatch, Payload
from services.entities.entity import R
from services.realtime.rows import D, Rows

MAX_PATCHES = 64
"""Steps that are kept; a window that is further behind gets everything."""


class Source(Protocol[R]):
    """Where a view reads rows: a window's subscription, or all rows of a feed."""

    @property
    def is_loaded(self) -> bool: ...

    def rows(self) -> list[R]: ...

    def get(self, id: UUID) -> R | None: ...

    def derived(self, id: UUID, function: Callable[[R], D], *, epoch: int = 0) -> D | None: ...


class AllRows(Generic[R]):
    """The rows of a feed as a source."""

    is_loaded = True

    def __init__(self, rows: Rows[R]) -> None:
        self._rows = rows
        self.get = rows.get
        self.derived = rows.derived

    def rows(self) -> list[R]:
        return list(self._rows)


class Shareable(Protocol):
    """A view that says the same in every window that asks for the same."""

    def full(self) -> Batch | None: ...

    def patch(self, dirty: Collection[UUID]) -> Batch | None: ...

    def resume_from(self, other: Self) -> None:
        """Go on alone, from where the other is."""


class SharedView:
    """A view and the steps that it has taken: each the patch patches_since the one before, as JSON.

    A window knows the number of the last step that it was sent. Whoever asks first after a change takes the step.
    """

    def __init__(self, view: Shareable) -> None:
        self.view = view
        self._step = 0
        self._steps: list[EncodedBatch] = []
        self._dirty: set[UUID] = set()
        self._snapshot: tuple[int, EncodedBatch | None] = (-1, None)

    def mark(self, id: UUID) -> None:
        """A row changed."""
        self._dirty.add(id)

    def snapshot(self) -> tuple[int, EncodedBatch | None]:
        """The number of the last step, and everything as of then; None when nothing is known yet."""
        self._take()
        if self._snapshot[0] != self._step:
            batch = self.view.full()
            self._snapshot = (self._step, _write(batch) if batch else None)
        return self._snapshot

    def patches_since(self, step: int) -> tuple[int, Sequence[EncodedBatch] | None]:
        """The number of the last step, and the steps after `step`; None when they are no longer kept."""
        self._take()
        behind = self._step - step
        if behind > len(self._steps):
            return self._step, None
        return self._step, self._steps[len(self._steps) - behind :]

    def _take(self) -> None:
        if not self._dirty:
            return
        dirty, self._dirty = self._dirty, set()
        if batch := self.view.patch(dirty):
            self._step += 1
            self._steps.append(_write(batch))
            del self._steps[:-MAX_PATCHES]


class SharedViewCursor:
    """A window's share in what `find` finds; while there is nothing to share, a view of its own."""

    def __init__(self, find: Callable[[], SharedView | None], own: Shareable) -> None:
        self._find = find
        self._own = own
        self._shared: SharedView | None = None
        self._step = 0

    def full(self) -> Payload:
        self._shared = self._find()
        if self._shared is None:
            return self._own.full()
        self._step, snapshot = self._shared.snapshot()
        return snapshot

    def patch(self, dirty: Collection[UUID]) -> Payload:
        shared = self._find()
        if self._shared is None:
            return self._own.patch(dirty) if shared is None else self.full()
        if shared not in (None, self._shared):
            return self.full()
        self._step, steps = self._shared.patches_since(self._step)
        if shared is None:
            # From here on this window sees something else than the others.
            self._own.resume_from(self._shared.view)
            self._shared = None
            if steps is not None and (further := self._own.patch(dirty)):
                steps = [*steps, _write(further)]
        return self.full() if steps is None else steps


def shared_by(view: Callable[[AllRows[R]], Shareable]) -> Callable[[Rows[R]], SharedView]:
    """For `Subscription.shared`: makes a view of all rows and shares it."""
    return lambda rows: SharedView(view(AllRows(rows)))


def _write(batch: Batch) -> EncodedBatch:
    return EncodedBatch(json.dumps(batch))
