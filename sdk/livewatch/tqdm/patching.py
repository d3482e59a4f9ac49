"""Patching: reports the bars of the process that are made by tqdm itself, as libraries make them."""

from __future__ import annotations

import functools
from typing import Any

from tqdm import std

from livewatch.tqdm.bars import ReportedBar, begin, on_close, on_exit, prepared


def patch() -> None:
    """Report every bar of tqdm that this process makes from now on, whoever makes it. Idempotent."""
    if getattr(std.tqdm, "_livewatch_is_patched", False):
        return
    init, close, leave = std.tqdm.__init__, std.tqdm.close, std.tqdm.__exit__

    @functools.wraps(init)
    def patched_init(self: Any, *args: Any, **kwargs: Any) -> None:
        if isinstance(self, ReportedBar):
            init(self, *args, **kwargs)
        else:
            init(self, *args, **prepared(kwargs))
            begin(self)

    @functools.wraps(close)
    def patched_close(self: Any) -> None:
        close(self)
        if not isinstance(self, ReportedBar):
            on_close(self)

    @functools.wraps(leave)
    def patched_exit(self: Any, kind: Any, error: Any, trace: Any) -> None:
        leave(self, kind, error, trace)
        if not isinstance(self, ReportedBar):
            on_exit(self, error)

    for name, method in (("__init__", patched_init), ("close", patched_close), ("__exit__", patched_exit)):
        setattr(std.tqdm, name, method)
    setattr(std.tqdm, "_livewatch_is_patched", True)  # noqa: B010
