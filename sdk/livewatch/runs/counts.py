"""Counts: units done and to do, what of them is still to be reported, and the refusal of what is no amount."""

from __future__ import annotations

import logging
from typing import Any

from livewatch.delivery.operations import amount_of

logger = logging.getLogger("livewatch")


class Counts:
    """Units done and their total. Not thread-safe: its run locks.

    Units that are added are reported as `advance`, so that several processes may add to one run; units that are set
    are reported as `completed`. A value that is no amount is dropped, and the first one is warned of.

    Args:
        name: Name of the run, for warnings.
        total: Number of units to do.
    """

    def __init__(self, name: str, total: object = None) -> None:
        self._name = name
        self._has_warned = False
        self._added: float = 0
        self._is_set = False
        self.done: float = 0
        """Units done, of those that this process knows of."""
        self.total = None if total is None else self._amount(total, "total")
        """Units to do; None if unknown."""
        self._tracked_total: float | None = None

    @property
    def is_used(self) -> bool:
        """Whether anything was counted or a total given."""
        return self._is_set or self.done != 0 or self.total is not None

    def advance(self, n: object) -> None:
        """Add `n` units to those done; a negative number takes them back."""
        if isinstance(n, int | float) and n < 0:
            taken = self._amount(-n, "advance")
            if taken is not None:
                self.set(max(0, self.done - taken))
            return
        added = self._amount(n, "advance")
        done = None if added is None else amount_of(self.done + added)
        if added is None or done is None:
            return
        self.done = done
        self._added = amount_of(self._added + added) or 0

    def set(self, completed: object = None, total: Any = None) -> None:
        """Set the units done, their total, or both."""
        done = None if completed is None else self._amount(completed, "completed")
        total = None if total is None else self._amount(total, "total")
        if done is not None:
            self.done, self._added, self._is_set = done, 0, True
        if total is not None:
            self.total, self._tracked_total = total, None

    def expect(self, count: int) -> None:
        """Add the length of a tracked iterable to the total, unless the total was given."""
        if self.total is None or self._tracked_total is not None:
            self._tracked_total = (self._tracked_total or 0) + count
            self.total = self._tracked_total

    def take(self) -> dict[str, Any]:
        """Return the fields to report since the last call: `completed` or `advance`, and `total`."""
        fields: dict[str, Any] = {}
        if self._is_set:
            fields["completed"] = self.done
        elif self._added:
            fields["advance"] = self._added
        self._added, self._is_set = 0, False
        if self.total is not None:
            fields["total"] = self.total
        return fields

    def _amount(self, value: object, name: str) -> float | None:
        amount = amount_of(value)
        if amount is None and not self._has_warned:
            self._has_warned = True
            logger.warning(
                "Livewatch: %s of the run %s must be a number from 0 to 2**53; %.80r is left out.",
                name,
                self._name,
                value,
            )
        return amount
