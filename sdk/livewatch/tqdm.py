"""A drop-in for `from tqdm import tqdm` whose bars are seen in Livewatch too; needs the extra `livewatch[tqdm]`."""

from __future__ import annotations

import sys
import time
import weakref
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from livewatch.process import PROCESS
from livewatch.runs import Run
from livewatch.tracking import enter, is_nested, script_name

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
        """The real bar, which can be written with the type of its items."""


# After so many seconds a bar whose steps have become slow is asked to count them singly again.
IMPATIENCE = 1.0

__all__ = ["tqdm", "trange"]


class tqdm(_Bar[T]):
    """The real tqdm, reported as a stream; the reporter's thread reads the bar twice a second, so no step costs more.

    A disabled bar is not reported, except one that disabled itself (`disable=None`) for want of a terminal. Of nested
    bars only the outermost is, unless they are given a slug.
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
        reported = PROCESS.reporter() is not None
        if reported and "disable" in kwargs and kwargs["disable"] is None and not _is_terminal(kwargs.get("file")):
            kwargs |= {"disable": False, "file": _Nowhere()}
        super().__init__(*args, **kwargs)
        if reported and not self.disable and (slug is not None or not is_nested()):
            self._run = Run(_title(self.desc) or script_name(), total=self.total, slug=slug, look=_look(self))
            enter(self._run)

    def close(self) -> None:
        """Close the bar; one that is short of its total was left early."""
        super().close()
        if self._run is not None:
            if self.total is None or self.n >= self.total:
                self._run.finish()
            else:
                self._run.left()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if self._run is not None:
            self._run.end_with(error)


def trange(*args: int, **kwargs: Any) -> tqdm[int]:
    """`tqdm(range(*args), **kwargs)`."""
    return tqdm(range(*args), **kwargs)


class _Nowhere:
    """Where a bar is drawn that nobody sees."""

    def write(self, _: str) -> None: ...

    def flush(self) -> None: ...


def _look(bar: tqdm[Any]) -> Callable[[], tuple[float, float | None]]:
    # The bar closes itself when the program lets go of it, which the reporter must not prevent.
    reference = weakref.ref(bar)
    last: tuple[float, float | None] = (bar.n, bar.total)
    title = _title(bar.desc)

    def look() -> tuple[float, float | None]:
        nonlocal last
        bar = reference()
        if bar is None:
            return last
        last = bar.n, bar.total
        # As tqdm's own monitor does, only sooner: else a bar of fast steps that become slow stands still.
        if bar.dynamic_miniters and (bar.miniters or 0) > 1 and time.time() - bar.last_print_t > IMPATIENCE:
            bar.miniters = 1
        said = ", ".join(each for each in (_title(bar.desc), str(bar.postfix or "")) if each)
        if bar._run is not None and said != title:
            bar._run.describe(said)
        return last

    return look


def _title(description: str | None) -> str:
    return (description or "").strip().removesuffix(":")


def _is_terminal(file: object) -> bool:
    isatty = getattr(file or sys.stderr, "isatty", None)
    return bool(isatty and isatty())
