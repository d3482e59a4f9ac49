"""The drop-in for `tqdm.contrib.concurrent`: `thread_map` and `process_map`."""

from __future__ import annotations

from functools import partial

from tqdm.contrib import concurrent

from livewatch.tqdm.auto import tqdm

__all__ = ["process_map", "thread_map"]

thread_map = partial(concurrent.thread_map, tqdm_class=tqdm)
process_map = partial(concurrent.process_map, tqdm_class=tqdm)
