"""Loop tracking: `track()` reports the progress of a loop at almost no cost per step."""

from __future__ import annotations

import logging
import operator
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, compress, repeat
from types import TracebackType
from typing import Generic, TypeVar

from livewatch.reporting.process import PROCESS
from livewatch.runs.loops import Loop
from livewatch.runs.run import Run

T = TypeVar("T")

# Their iterators know how many items are left.
INDEXED_TYPES = (list, tuple, range)

logger = logging.getLogger("livewatch")


class Track(Generic[T]):
    """An iterable that reports the progress of its loop.

    As a context manager around the loop, it ends with the exception that left the loop.
    """

    def __init__(
        self,
        items: Iterable[T],
        name: object,
        *,
        total: float | None,
        slug: str | None,
        description: str | None,
        unit: str | None,
    ) -> None:
        self._items = items
        self._name = name
        self._total = total
        self._slug = slug
        self._description = description
        self._unit = unit
        self._loop: Loop | None = None
        self._is_over = False

    @property
    def run(self) -> Run | None:
        """The run that it is, or to which it belongs; None until the loop starts."""
        return self._loop.run if self._loop is not None else None

    @property
    def url(self) -> str | None:
        """URL of the page of its run; None until the loop starts, and where it is not reported."""
        return self._loop.run.url if self._loop is not None else None

    def __iter__(self) -> Iterator[T]:
        source = iter(self._items)
        if self._loop is not None or PROCESS.reporter() is None:
            return source
        try:
            return self._tracked(source)
        except Exception:
            logger.debug("tracking a loop failed", exc_info=True)
            return source

    def __len__(self) -> int:
        return len(self._items)  # type: ignore[arg-type]

    def finish(self) -> None:
        """End successfully, whatever is left; call it before a `break` that completes the work."""
        if self._loop is not None:
            self._loop.finish()

    def __enter__(self) -> Track[T]:
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if self._loop is None:
            return
        if error is None and not self._is_over:
            self._loop.stop()
        else:
            self._loop.end_with(error)

    def _tracked(self, source: Iterator[T]) -> Iterator[T]:
        counter = _Counter(self._total if self._total is not None else _length(self._items))
        counted = counter.count(self._items, source)
        self._loop = Loop(
            self._name,
            total=counter.total,
            slug=self._slug,
            description=self._description,
            unit=self._unit,
            progress_source=counter.progress,
        )
        return chain.from_iterable(self._watch_end(counted, counter, self._loop))

    def _watch_end(self, items: Iterator[T], counter: _Counter, loop: Loop) -> Iterator[Iterator[T]]:
        """Yield the iterator once; resumes when it is exhausted, or is closed when the loop drops it."""
        try:
            yield items
        except GeneratorExit:
            loop.abandoned_early()
            raise
        counter.in_progress = 0
        self._is_over = True
        loop.finish()


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
    unit: str | None = None,
) -> Track[T]:
    """Iterate over `items` and report the loop: as a run, or as a bar of the run or loop around it.

    A loop left by `break` is reported as stopped, one left by an exception that ends the program as blocked. Use the
    result as a context manager to report an exception that the program catches.

    Args:
        items: Any iterable.
        name: Title of the run; the script's name if omitted.
        total: Number of items; their length if omitted.
        slug: Name of its job in URLs, whose runs are numbered. With one, the loop is a run also within others.
        description: What the loop does.
        unit: Name of the items, in the plural.

    Returns:
        An iterable over the same items.
    """
    return Track(items, name, total=total, slug=slug, description=description, unit=unit)


def _length(items: Iterable[object]) -> int | None:
    try:
        return len(items)  # type: ignore[arg-type]
    except Exception:
        return None
