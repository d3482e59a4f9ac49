"""The drop-in for `tqdm.contrib`: `tenumerate`, `tzip` and `tmap`."""

from __future__ import annotations

from functools import partial

from tqdm import contrib

from livewatch.tqdm.auto import tqdm

__all__ = ["tenumerate", "tmap", "tzip"]

tenumerate = partial(contrib.tenumerate, tqdm_class=tqdm)
tzip = partial(contrib.tzip, tqdm_class=tqdm)
tmap = partial(contrib.tmap, tqdm_class=tqdm)
