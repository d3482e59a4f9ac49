"""Loop tracking: `track()` reports the progress of a loop at almost no cost per step."""

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

from livewatch.reporting.process import PROCESS
from livewatch.reporting.runs import Run

T = TypeVar("T")

# Their iterators know how many items are left.
INDEXED_TYPES = (list, tuple, range)

logger = logging.getLogger("livewatch")


class Track(Generic[T]):
    """An iterable that reports the progress of its loop.

    As a context manager around the loop, it ends with the exception that left the loop.

    Attributes:
        run: The reported run; None until the loop starts.
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
            return self._tracked(source)
        except Exception:
            logger.debug("tracking a loop failed", exc_info=True)
            return source

    def __len__(self) -> int:
        return len(self._items)  # type: ignore[arg-type]

    def finish(self) -> None:
        """End successfully, whatever is left; call it before a `break` that is not a failure."""
        if self.run is not None:
            self.run.finish()

    def __enter__(self) -> Track[T]:
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if self.run is not None:
            self.run.end_with(error)

    def _tracked(self, source: Iterator[T]) -> Iterator[T]:
        counter = _Counter(self._total if self._total is not None else _length(self._items))
        counted = counter.count(self._items, source)
        run = Run(
            self._name or script_name(),
            total=counter.total,
            slug=self._slug,
            description=self._description,
            progress_source=counter.progress,
        )
        self.run = run
        enter_loop(run)
        return chain.from_iterable(_watch_end(counted, counter, run))


class _Counter:
    """Counts items without executing Python code per step: the reporter asks the C iterators how far they are."""

    def __init__(self, total: float | None) -> None:
        self.total = total
        # The item that was yielded last.
        self.in_progress = 1
        self._yielded: Callable[[], int] = lambda: 0

    def count(self, items: Iterable[T], source: Iterator[T]) -> Iterator[T]:
        """Return an iterator over `source`, which is `iter(items)`, whose position is counted."""
        if type(items) in INDEXED_TYPES:
            # Correct even if the list grows or shrinks meanwhile.
            self._yielded = lambda: len(items) - operator.length_hint(source)  # type: ignore[arg-type]
            return source
        # Consumed in step with the items. Only this is referenced here, so that a generator closes with its loop.
        remaining = repeat(True, sys.maxsize)
        self._yielded = lambda: sys.maxsize - operator.length_hint(remaining)
        return compress(source, remaining)

    def progress(self) -> tuple[float, float | None]:
        """Return items done and their total."""
        return max(0, self._yielded() - self.in_progress), self.total


def track(
    items: Iterable[T],
    name: object = None,
    *,
    total: float | None = None,
    slug: str | None = None,
    description: str | None = None,
) -> Track[T]:
    """Iterate over `items` and report the loop as a run.

    A loop left early, by `break` or an exception, is reported as blocked, with the exception if it ends the program.
    Use the result as a context manager, or `finish` it, to tell the two apart. Of nested loops only the outermost is
    reported, unless an inner one has a slug.

    Args:
        items: Any iterable.
        name: Title of the run; the script's name if omitted.
        total: Number of items; their length if omitted.
        slug: Name of the run in URLs; usable once.
        description: What the loop does.

    Returns:
        An iterable over the same items.
    """
    return Track(items, name, total, slug, description)


def script_name() -> str:
    """Return the file name of the running script."""
    return os.path.basename(sys.argv[0] if sys.argv else "") or "python"


def enter_loop(run: Run) -> None:
    """Treat loops of this thread or task as nested in this run until it ends."""
    _outer.set(run)


def is_nested() -> bool:
    """Return whether a reported loop is active in this thread or task."""
    outer = _outer.get()
    return outer is not None and not outer.ended


def _watch_end(items: Iterator[T], counter: _Counter, run: Run) -> Iterator[Iterator[T]]:
    """Yield the iterator once; resumes when it is exhausted, or is closed when the loop drops it."""
    try:
        yield items
    except GeneratorExit:
        run.abandoned_early()
        raise
    counter.in_progress = 0
    run.finish()


def _length(items: Iterable[object]) -> int | None:
    try:
        return len(items)  # type: ignore[arg-type]
    except Exception:
        return None


_outer: ContextVar[Run | None] = ContextVar("livewatch_loop", default=None)
