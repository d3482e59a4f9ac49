"""Reporting of tqdm's bars: each is a loop whose progress the reporter samples, so that steps cost no more."""

from __future__ import annotations

import logging
import sys
import time
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from livewatch.reporting.process import PROCESS
from livewatch.runs.attached import AttachedRun
from livewatch.runs.loops import Loop, owner

if TYPE_CHECKING:
    from tqdm.std import tqdm as _Bar
else:

    class _Bar:
        """Stands for the class of tqdm beside the mixin."""


# After this long without a redraw, a bar whose steps became slow counts them singly again.
MAX_REDRAW_SECONDS = 1.0
DEFAULT_UNIT = "it"
BYTES = ("B", "iB", "b", "bytes")

Progress = Callable[[], "tuple[object, object]"]
logger = logging.getLogger("livewatch")


class ReportedBar(_Bar):  # type: ignore[type-arg]
    """Mixin before a class of tqdm: its bars are also reported; see `livewatch.tqdm.tqdm`."""

    def __init__(self, *args: Any, slug: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **prepared(kwargs, slug))
        begin(self, slug)

    def close(self) -> None:
        """Close the bar; one short of its total counts as left early."""
        super().close()
        on_close(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        on_exit(self, error)


def prepared(kwargs: dict[str, Any], slug: str | None = None) -> dict[str, Any]:
    """Make ready for a bar that is reported, before it is drawn; returns the arguments with which to make it.

    A bar that would disable itself for lack of a terminal counts without drawing.
    """
    if slug is None and not kwargs.get("disable"):
        _claim_progress()
    is_headless = "disable" in kwargs and kwargs["disable"] is None and not _is_terminal(kwargs.get("file"))
    if is_headless and PROCESS.reporter() is not None:
        return {**kwargs, "disable": False, "file": _NullFile()}
    return kwargs


def begin(bar: Any, slug: str | None = None) -> None:
    """Report a bar from now on, unless it is disabled, reported already or nothing is reported. Never raises."""
    try:
        if PROCESS.reporter() is None or bar.disable or getattr(bar, "_livewatch", None) is not None:
            return
        progress = _progress_source(bar)
        loop = Loop(
            _title(bar.desc) or None,
            total=bar.total,
            slug=slug,
            unit=_unit(bar.unit),
            progress_source=progress,
            is_moved_by_hand=bar.iterable is None,
        )
        bar._livewatch = loop, progress
    except Exception:
        logger.debug("reporting a bar failed", exc_info=True)


def on_close(bar: Any) -> None:
    """End the loop of a bar that was closed; one short of its total was left early."""
    reported = getattr(bar, "_livewatch", None)
    if reported is None:
        return
    loop, progress = reported
    # A last time: the bar may be gone when it is sampled.
    progress()
    if _is_complete(bar):
        loop.finish()
    else:
        loop.abandoned_early()


def on_exit(bar: Any, error: BaseException | None) -> None:
    """End the loop of a bar whose `with` block ended; a bar that is moved by hand is complete when its block is."""
    reported = getattr(bar, "_livewatch", None)
    if reported is None:
        return
    loop, _ = reported
    if error is None and bar.iterable is not None and not _is_complete(bar):
        loop.stop()
    else:
        loop.end_with(error)


def _claim_progress() -> None:
    # What is drawn before that, `livewatch run` around this process may report after what is reported here.
    try:
        if isinstance(run := owner(), AttachedRun):
            run.claim_progress()
    except Exception:
        logger.debug("claiming the progress failed", exc_info=True)


class _NullFile:
    """Discards what a bar draws."""

    def write(self, _: str) -> None: ...

    def flush(self) -> None: ...


def _progress_source(bar: Any) -> Progress:
    # Weak: the bar closes when the program drops it, which the reporter must not prevent.
    reference = weakref.ref(bar)
    last: tuple[object, object] = _scaled(bar)
    title = _title(bar.desc)

    def progress() -> tuple[object, object]:
        nonlocal last, title
        bar = reference()
        if bar is None:
            return last
        last = _scaled(bar)
        # As tqdm's monitor does, only sooner: otherwise a bar of fast steps that become slow stands still.
        if bar.dynamic_miniters and (bar.miniters or 0) > 1 and time.time() - bar.last_print_t > MAX_REDRAW_SECONDS:
            bar.miniters = 1
        description = ", ".join(each for each in (_title(bar.desc), str(bar.postfix or "")) if each)
        reported = getattr(bar, "_livewatch", None)
        if reported is not None and description != title:
            title = description
            reported[0].describe(description)
        return last

    return progress


def _scaled(bar: Any) -> tuple[object, object]:
    """Return units done and their total, multiplied by `unit_scale` where that is a number."""
    scale = bar.unit_scale
    if isinstance(scale, bool) or not isinstance(scale, int | float) or scale == 1:
        return bar.n, bar.total
    return bar.n * scale, None if bar.total is None else bar.total * scale


def _is_complete(bar: Any) -> bool:
    return bar.total is None or bool(bar.n >= bar.total)


def _unit(unit: object) -> str | None:
    name = str(unit or "").strip()
    if name in BYTES:
        return "B"
    return None if name in ("", DEFAULT_UNIT) else name


def _title(description: str | None) -> str:
    return (description or "").strip().removesuffix(":")


def _is_terminal(file: object) -> bool:
    isatty = getattr(file or sys.stderr, "isatty", None)
    return bool(isatty and isatty())
