"""A drop-in replacement for the package tqdm that also reports its bars; needs the extra `livewatch[tqdm]`.

`from livewatch.tqdm import tqdm` in place of `from tqdm import tqdm`, and likewise `livewatch.tqdm.auto`, `.asyncio`,
`.notebook` and `.contrib`. `patch()` reports every bar of the process, also those that libraries make.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

try:
    from tqdm import std
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("livewatch.tqdm needs tqdm: pip install 'livewatch[tqdm]'", name=error.name) from None

from livewatch.tqdm.bars import ReportedBar
from livewatch.tqdm.patching import patch

T = TypeVar("T")

if TYPE_CHECKING:
    from typing import Never

    from tqdm.std import tqdm as _Bar
else:

    class _Bar(std.tqdm, Generic[T]):
        """The real bar, generic over the type of its items."""


__all__ = ["patch", "tqdm", "trange"]


class tqdm(ReportedBar, _Bar[T]):
    """The real tqdm, also reported: as a run, or as a bar of the run or loop around it.

    A disabled bar is not reported, except one that disabled itself (`disable=None`) for lack of a terminal. With a
    `slug`, the name of its run in URLs, it is always a run. `tqdm.pandas()` registers it with pandas.
    """

    if TYPE_CHECKING:

        @overload
        def __init__(self, iterable: Iterable[T], desc: str | None = None, *args: Any, **kwargs: Any) -> None: ...
        @overload
        def __init__(
            self: tqdm[Never], iterable: None = None, desc: str | None = None, *args: Any, **kwargs: Any
        ) -> None: ...
        def __init__(self, *args: Any, **kwargs: Any) -> None: ...


def trange(*args: int, **kwargs: Any) -> tqdm[int]:
    """Return `tqdm(range(*args), **kwargs)`."""
    return tqdm(range(*args), **kwargs)
