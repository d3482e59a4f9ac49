"""The drop-in for `tqdm.auto`: the bar of a notebook or of a terminal, with `async for`."""

from __future__ import annotations

from typing import Any

from tqdm.auto import tqdm as _Bar

from livewatch.tqdm.bars import ReportedBar

__all__ = ["tqdm", "trange"]


class tqdm(ReportedBar, _Bar):  # type: ignore[type-arg]
    """The real `tqdm.auto.tqdm`, also reported; see `livewatch.tqdm.tqdm`."""


def trange(*args: int, **kwargs: Any) -> tqdm:
    """Return `tqdm(range(*args), **kwargs)`."""
    return tqdm(range(*args), **kwargs)
