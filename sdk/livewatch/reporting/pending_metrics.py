"""Pending metrics: points that were logged since the last tick, one a step, bounded in memory."""

import math
import operator
from collections.abc import Mapping
from typing import Any

from livewatch.delivery.operations import MAX_INTEGER, iso_time, text

MAX_PENDING_VALUES = 50_000
"""Values of a run between two ticks; of more, the oldest are dropped."""
MAX_POINTS_PER_REQUEST = 250
MAX_VALUES_PER_REQUEST = 5_000
MAX_METRIC_NAME_CHARACTERS = 200


class PendingMetrics:
    """Points of one run by their step; a later value at a step replaces an earlier one. Not thread-safe."""

    def __init__(self) -> None:
        self._points: dict[int, tuple[str, dict[str, float | str]]] = {}
        self._count = 0

    def add(self, step: int, epoch: float, values: Mapping[str, float | str]) -> bool:
        """Add values at a step; return whether older points were dropped to make room."""
        _, known = self._points.get(step, ("", {}))
        before = len(known)
        known.update(values)
        self._points[step] = iso_time(epoch), known
        self._count += len(known) - before
        has_dropped = False
        while self._count > MAX_PENDING_VALUES and len(self._points) > 1:
            oldest = next(iter(self._points))
            self._count -= len(self._points.pop(oldest)[1])
            has_dropped = True
        return has_dropped

    def bodies(self, run: str) -> list[dict[str, Any]]:
        """Return the bodies of requests that report the points, in the order in which their steps came first."""
        bodies: list[dict[str, Any]] = []
        points: list[dict[str, Any]] = []
        count = 0
        for step, (at, values) in self._points.items():
            if points and (len(points) == MAX_POINTS_PER_REQUEST or count + len(values) > MAX_VALUES_PER_REQUEST):
                bodies.append({"run": run, "points": points})
                points, count = [], 0
            points.append({"step": step, "at": at, "values": values})
            count += len(values)
        return [*bodies, {"run": run, "points": points}] if points else bodies


def metric_values(given: Mapping[Any, Any]) -> tuple[dict[str, float | str], list[str]]:
    """Return values by name as the API takes them, and the names of those that are no numbers or have no valid name.

    Takes what `float` takes of numbers, as values of NumPy and PyTorch; no texts. NaN and infinities are kept.
    """
    values: dict[str, float | str] = {}
    refused: list[str] = []
    for key, value in given.items():
        name = text(key, MAX_METRIC_NAME_CHARACTERS)
        number = _number(value)
        if number is None or not name.strip() or not name.isprintable():
            refused.append(name)
        elif math.isfinite(number):
            values[name] = number
        else:
            values[name] = "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
    return values, refused


def step_of(value: object) -> int | None:
    """Return the number of a step, a whole number between 0 and 2**53; None for anything else."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    try:
        step = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None
    return step if 0 <= step <= MAX_INTEGER else None


def _number(value: object) -> float | None:
    if isinstance(value, str | bytes | bytearray):
        return None
    try:
        return float(value)  # type: ignore[arg-type]
    except OverflowError:
        return math.inf if value > 0 else -math.inf  # type: ignore[operator]
    except Exception:
        return None
