"""The drop-in for `tqdm.asyncio`: `async for`, `as_completed` and `gather`."""

from __future__ import annotations

from typing import Any

from tqdm.asyncio import tqdm_asyncio as _Bar

from livewatch.tqdm.bars import ReportedBar

__all__ = ["tarange", "tqdm", "tqdm_asyncio", "trange"]


class tqdm_asyncio(ReportedBar, _Bar):  # type: ignore[type-arg]
    """The real `tqdm.asyncio.tqdm_asyncio`, also reported; see `livewatch.tqdm.tqdm`."""


def tarange(*args: int, **kwargs: Any) -> tqdm_asyncio:
    """Return `tqdm_asyncio(range(*args), **kwargs)`."""
    return tqdm_asyncio(range(*args), **kwargs)


tqdm = tqdm_asyncio
trange = tarange
