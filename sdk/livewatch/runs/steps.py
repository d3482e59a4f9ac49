"""Steps: the scan of a run with steps, and how far it is by its counts or its steps."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator
from typing import Any

from livewatch.delivery.clock import seconds_since, uptime
from livewatch.delivery.operations import MAX_NAME_CHARACTERS, text, without_none
from livewatch.runs.counts import Counts
from livewatch.runs.endings import Ending, Outcome

MAX_STEPS = 100

logger = logging.getLogger("livewatch")


def per_cent(done: float, total: float) -> float:
    """Return per cent done in tenths, as the server computes it for a stream: only what is complete is 100."""
    return 100.0 if done >= total else min(99.9, math.floor(1000 * done / total + 1e-9) / 10)


class Steps:
    """The steps of one run, reported as a scan with its slug. Not thread-safe: the run locks.

    A blank step, or one above the hundredth, is left out with a warning.

    Args:
        name: Name of the run.
        slug: Its slug.
        declared: Names of the steps, in order.
        attempt: Number of the run's try; None for the first.
    """

    def __init__(self, name: str, slug: str, declared: Iterable[object], attempt: int | None = None) -> None:
        self._attempt_number = attempt
        self._name = name
        self._slug = slug
        self._names: list[str] = []
        self._current: str | None = None
        self._sent: dict[str, Any] = {}
        self._counted: float = 0
        for each in declared:
            self._add(each)
        self._is_declared = bool(self._names)
        self._began: float | None = None
        self.has_progress = False
        """Whether its progress follows from counts or declared steps."""

    @property
    def is_reported(self) -> bool:
        """Whether the scan was reported."""
        return self._began is not None

    @property
    def elapsed(self) -> float | None:
        """Seconds since the scan was first reported, if it was."""
        return None if self._began is None else seconds_since(self._began)

    def enter(self, name: object) -> None:
        """Enter a step; an undeclared one is appended."""
        step = self._add(name)
        self._current = step or self._current

    def take(
        self, counts: Counts, completed: float | None, total: float | None
    ) -> Iterator[tuple[dict[str, Any], bool]]:
        """Yield the fields to report since the last call, and whether later ones supersede them.

        Args:
            counts: Units that the program counted.
            completed: Units done where they are known absolutely.
            total: Units to do.
        """
        if not self._names:
            return
        progress = self._progress(counts, completed, total)
        advance = progress.pop("advance", None)
        state = without_none({"steps": list(self._names), "step": self._current, **progress})
        if self.is_reported and state == self._sent and not advance:
            return
        start = {"name": self._name, "stream": self._slug, "status": "scanning", "attempt": self._attempt_number}
        start = {} if self.is_reported else start
        yield without_none({**start, **state, "advance": advance or None}), self.is_reported and not advance
        if self._began is None:
            self._began = uptime()
        self._sent = state

    def last_fields(self, counts: Counts, ending: Ending) -> Iterator[dict[str, Any]]:
        """Yield the progress at the end: of steps that are not counted, the current one is done as well."""
        if ending.outcome is Outcome.COMPLETED and self.is_reported and self._is_declared and not counts.total:
            done = self._names.index(self._current) + 1 if self._current in self._names else len(self._names)
            self.has_progress = True
            yield {"progress": per_cent(done, len(self._names))}

    def _progress(self, counts: Counts, completed: float | None, total: float | None) -> dict[str, Any]:
        if total:
            self.has_progress = True
            if completed is None and isinstance(total, int) and isinstance(counts.done, int):
                # Added, not set: other processes may add as well.
                added, self._counted = counts.done - self._counted, counts.done
                return {"targets_identified": total, "advance": max(0, added)}
            done = counts.done if completed is None else completed
            progress = {"progress": per_cent(done, total)}
            if isinstance(total, int) and isinstance(done, int):
                self._counted = done
                return {**progress, "targets_identified": total, "targets_analyzed": min(done, total)}
            return progress
        if self._is_declared and self._current in self._names:
            return {"progress": per_cent(self._names.index(self._current), len(self._names))}
        return {}

    def _add(self, name: object) -> str | None:
        step = text(name, MAX_NAME_CHARACTERS)
        if step in self._names:
            return step
        if not step.strip() or len(self._names) >= MAX_STEPS:
            logger.warning(
                "Livewatch: a step of the run %s is left out: it is blank or above %d.", self._name, MAX_STEPS
            )
            return None
        self._names.append(step)
        return step
