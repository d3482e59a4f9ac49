"""`track()`: a loop that is watched, at next to no cost a step."""

from __future__ import annotations

import logging
import operator
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from itertools import chain, compress, repeat
from types import TracebackType
from typing import Generic, TypeVar

from livewatch.process import PROCESS
from livewatch.runs import Run

T = TypeVar("T")

# Their own iterators know where they are.
INDEXED = (list, tuple, range)

logger = logging.getLogger("livewatch")


class Track(Generic[T]):
    """An iterable that reports how far its loop is; `run` is what is reported, once the loop has begun.

    As a context manager around the loop it learns whether the loop was left by an exception, and by which.
    """

    def __init__(
        self, items: Iterable[T], name: object, total: float | None, slug: str | None, description: str | None
    ) -> None:
        self._items = items
        self._name = name
        self._total = total
        self._slug = slug
        self._description = description
        self.run: Run | None = None

    def __iter__(self) -> Iterator[T]:
        source = iter(self._items)
        if self.run is not None or PROCESS.reporter() is None or (self._slug is None and is_nested()):
            return source
        try:
            return self._watched(source)
        except Exception:
            logger.debug("a loop could not be watched", exc_info=True)
            return source

    def __len__(self) -> int:
        return len(self._items)  # type: ignore[arg-type]

    def finish(self) -> None:
        """It is done, whatever is left: to be said before a `break` that is no failure."""
        if self.run is not None:
            self.run.finish()

    def __enter__(self) -> Track[T]:
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if self.run is not None:
            self.run.end_with(error)

    def _watched(self, source: Iterator[T]) -> Iterator[T]:
        tally = _Tally(self._total if self._total is not None else _length(self._items))
        counted = tally.count(self._items, source)
        run = Run(
            self._name or script_name(),
            total=tally.total,
            slug=self._slug,
            description=self._description,
            look=tally.look,
        )
        self.run = run
        enter(run)
        return chain.from_iterable(_parts(counted, tally, run))


class _Tally:
    """Counts what is handed out without a line of Python a step: the reporter's thread asks twice a second."""

    def __init__(self, total: float | None) -> None:
        self.total = total
        # The item that was handed out last.
        self.being_worked_on = 1
        self._handed_out: Callable[[], int] = lambda: 0

    def count(self, items: Iterable[T], source: Iterator[T]) -> Iterator[T]:
        """The items of `source`, which is `iter(items)`, counted from now on."""
        if type(items) in INDEXED:
            # It says itself how many it has left, however the list changes meanwhile.
            self._handed_out = lambda: len(items) - operator.length_hint(source)  # type: ignore[arg-type]
            return source
        # Consumed in step with the items. It alone is kept here, so that a generator ends when its loop lets go of it.
        left = repeat(True, sys.maxsize)
        self._handed_out = lambda: sys.maxsize - operator.length_hint(left)
        return compress(source, left)

    def look(self) -> tuple[float, float | None]:
        return max(0, self._handed_out() - self.being_worked_on), self.total


def track(
    items: Iterable[T],
    name: object = None,
    *,
    total: float | None = None,
    slug: str | None = None,
    description: str | None = None,
) -> Track[T]:
    """Iterate over `items` and report the loop as a stream; `total` is their length unless it is given.

    A loop that is left early, by `break` or an exception, is reported as blocked, with the exception when that ends
    the program: use it as a context manager, or `finish` it, to tell the two apart. Of nested loops only the outermost
    is reported, unless they are given a slug.
    """
    return Track(items, name, total, slug, description)


def script_name() -> str:
    return os.path.basename(sys.argv[0] if sys.argv else "") or "python"


def enter(run: Run) -> None:
    """From here on, loops are nested in this one, until it has ended."""
    _outer.set(run)


def is_nested() -> bool:
    """Whether a loop that is reported goes on around here."""
    outer = _outer.get()
    return outer is not None and not outer.ended


def _parts(items: Iterator[T], tally: _Tally, run: Run) -> Iterator[Iterator[T]]:
    """The items, in one part; comes back here when they are exhausted, or when the loop lets go of them."""
    try:
        yield items
    except GeneratorExit:
        run.left()
        raise
    tally.being_worked_on = 0
    run.finish()


def _length(items: Iterable[object]) -> int | None:
    try:
        return len(items)  # type: ignore[arg-type]
    except Exception:
        return None


_outer: ContextVar[Run | None] = ContextVar("livewatch_loop", default=None)
