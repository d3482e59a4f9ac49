"""A drop-in replacement for `from tqdm import tqdm` that also reports its bars; needs the extra `livewatch[tqdm]`."""

from __future__ import annotations

import sys
import time
import weakref
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from livewatch.reporting.process import PROCESS
from livewatch.reporting.runs import Run
from livewatch.reporting.tracking import enter_loop, is_nested, script_name

try:
    from tqdm import std
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("livewatch.tqdm needs tqdm: pip install 'livewatch[tqdm]'", name=error.name) from None

T = TypeVar("T")

if TYPE_CHECKING:
    from typing import Never

    from tqdm.std import tqdm as _Bar
else:

    class _Bar(std.tqdm, Generic[T]):
        """The real bar, generic over the type of its items."""


# After this long without a redraw, a bar whose steps became slow counts them singly again.
MAX_REDRAW_SECONDS = 1.0

__all__ = ["tqdm", "trange"]


class tqdm(_Bar[T]):
    """The real tqdm, also reported as a run; the reporter samples the bar twice a second, so steps cost no more.

    A disabled bar is not reported, except one that disabled itself (`disable=None`) for lack of a terminal. Of nested
    bars only the outermost is reported, unless an inner one has a `slug`, the name of its run in URLs.
    """

    _run: Run | None = None

    if TYPE_CHECKING:

        @overload
        def __init__(self, iterable: Iterable[T], desc: str | None = None, *args: Any, **kwargs: Any) -> None: ...
        @overload
        def __init__(
            self: tqdm[Never], iterable: None = None, desc: str | None = None, *args: Any, **kwargs: Any
        ) -> None: ...

    def __init__(self, *args: Any, slug: str | None = None, **kwargs: Any) -> None:
        is_reported = PROCESS.reporter() is not None
        if is_reported and "disable" in kwargs and kwargs["disable"] is None and not _is_terminal(kwargs.get("file")):
            kwargs |= {"disable": False, "file": _NullFile()}
        super().__init__(*args, **kwargs)
        if is_reported and not self.disable and (slug is not None or not is_nested()):
            name = _title(self.desc) or script_name()
            self._run = Run(name, total=self.total, slug=slug, progress_source=_progress_source(self))
            enter_loop(self._run)

    def close(self) -> None:
        """Close the bar; one short of its total counts as left early."""
        super().close()
        if self._run is not None:
            if self.total is None or self.n >= self.total:
                self._run.finish()
            else:
                self._run.abandoned_early()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if self._run is not None:
            self._run.end_with(error)


def trange(*args: int, **kwargs: Any) -> tqdm[int]:
    """Return `tqdm(range(*args), **kwargs)`."""
    return tqdm(range(*args), **kwargs)


class _NullFile:
    """Discards what a bar draws."""

    def write(self, _: str) -> None: ...

    def flush(self) -> None: ...


def _progress_source(bar: tqdm[Any]) -> Callable[[], tuple[float, float | None]]:
    # Weak: the bar closes when the program drops it, which the reporter must not prevent.
    reference = weakref.ref(bar)
    last: tuple[float, float | None] = (bar.n, bar.total)
    title = _title(bar.desc)

    def progress() -> tuple[float, float | None]:
        nonlocal last
        bar = reference()
        if bar is None:
            return last
        last = bar.n, bar.total
        # As tqdm's monitor does, only sooner: otherwise a bar of fast steps that become slow stands still.
        if bar.dynamic_miniters and (bar.miniters or 0) > 1 and time.time() - bar.last_print_t > MAX_REDRAW_SECONDS:
            bar.miniters = 1
        description = ", ".join(each for each in (_title(bar.desc), str(bar.postfix or "")) if each)
        if bar._run is not None and description != title:
            bar._run.describe(description)
        return last

    return progress


def _title(description: str | None) -> str:
    return (description or "").strip().removesuffix(":")


def _is_terminal(file: object) -> bool:
    isatty = getattr(file or sys.stderr, "isatty", None)
    return bool(isatty and isatty())
