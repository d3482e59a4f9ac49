"""The drop-in for `tqdm.notebook`."""

from __future__ import annotations

from typing import Any

from tqdm.notebook import tqdm_notebook as _Bar

from livewatch.tqdm.bars import ReportedBar

__all__ = ["tnrange", "tqdm", "tqdm_notebook", "trange"]


class tqdm_notebook(ReportedBar, _Bar):  # type: ignore[type-arg]
    """The real `tqdm.notebook.tqdm_notebook`, also reported; see `livewatch.tqdm.tqdm`."""


def tnrange(*args: int, **kwargs: Any) -> tqdm_notebook:
    """Return `tqdm_notebook(range(*args), **kwargs)`."""
    return tqdm_notebook(range(*args), **kwargs)


tqdm = tqdm_notebook
trange = tnrange
