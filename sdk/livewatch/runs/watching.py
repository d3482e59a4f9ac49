"""Function watching: `@watch` reports each call of a function as a run."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast, overload

from livewatch.runs.run import Run

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger("livewatch")


@overload
def watch(function: Callable[P, R]) -> Callable[P, R]: ...
@overload
def watch(
    function: str | None = None, *, total: float | None = None, description: str | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def watch(function: Any = None, *, total: float | None = None, description: str | None = None) -> Any:
    """Report each call of a function or coroutine function as a run: `@watch` or `@watch("Nightly import", total=900)`.

    Within the call, `current_run()` returns the run. Generator functions are returned unchanged: `track` their items.

    Args:
        function: The function, or the name of its runs; the function's name if omitted.
        total: Number of units to do.
        description: What the function does.
    """
    if callable(function):
        return _watched(function, None, total, description)
    return lambda each: _watched(each, function, total, description)


def _watched(
    function: Callable[P, R], name: str | None, total: float | None, description: str | None
) -> Callable[P, R]:
    title = name or getattr(function, "__qualname__", "function").rpartition("<locals>.")[2]
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        logger.warning("@watch does not report generators: use livewatch.track on the items of %s.", title)
        return cast("Callable[P, R]", function)

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def asynchronous(*args: P.args, **kwargs: P.kwargs) -> Any:
            with Run(title, total=total, description=description):
                return await function(*args, **kwargs)

        return cast("Callable[P, R]", asynchronous)

    @functools.wraps(function)
    def synchronous(*args: P.args, **kwargs: P.kwargs) -> R:
        with Run(title, total=total, description=description):
            return function(*args, **kwargs)

    return synchronous
