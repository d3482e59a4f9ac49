"""Bars: the loops and progress bars of a run, shown below it as they are nested."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from typing import Any, Protocol

from livewatch.delivery.operations import MAX_NAME_CHARACTERS, amount_of, text, without_none
from livewatch.runs.endings import STOPPED, Ending

MAX_BARS = 50
# How long a loop that was left early stays open, in case an exception is about to end the program.
BREAK_GRACE_SECONDS = 1.0
IN_PROGRESS = "in_progress"

ProgressSource = Callable[[], tuple[object, object]]


class Owner(Protocol):
    """The run of a bar."""

    def on_bar_end(self) -> None:
        """Called when a bar has ended."""


class Bar:
    """One loop or progress bar of a run.

    Args:
        owner: The run.
        id: Identifier within the run, also among other processes.
        parent: Identifier of the bar that it is nested in; None directly below the run.
        name: Display name.
        unit: Name of its units.
        progress_source: Returns units done and their total.
    """

    def __init__(
        self,
        owner: Owner,
        id: str,
        *,
        parent: str | None,
        name: str,
        unit: str | None,
        progress_source: ProgressSource,
    ) -> None:
        self._owner = owner
        self._progress_source = progress_source
        self._abandoned_at: float | None = None
        self.id = id
        self._parent = parent
        self._name = name
        self.unit = unit
        self.status = IN_PROGRESS
        self.done: float = 0
        self.total: float | None = None

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.status != IN_PROGRESS

    @property
    def is_left(self) -> bool:
        """Whether it has ended or its loop was left."""
        return self.ended or self._abandoned_at is not None

    @property
    def is_top(self) -> bool:
        """Whether it is directly below the run."""
        return self._parent is None

    def describe(self, name: str) -> None:
        """Replace the name."""
        self._name = text(name, MAX_NAME_CHARACTERS)

    def end(self, ending: Ending) -> None:
        """End; idempotent."""
        if self.ended:
            return
        self.sample()
        self.status = ending.outcome.status("blocked")
        self._owner.on_bar_end()

    def abandoned_early(self) -> None:
        """Note that its loop was left before the end; see `Run.abandoned_early`."""
        if self._abandoned_at is None and not self.ended:
            self.sample()
            self._abandoned_at = time.monotonic()

    def sample(self) -> None:
        """Read the progress; after the grace, end a loop that was left."""
        done, total = self._progress_source()
        self.done = amount_of(done) or 0
        self.total = amount_of(total) if total is not None else None
        if self._abandoned_at is not None and time.monotonic() >= self._abandoned_at + BREAK_GRACE_SECONDS:
            self._abandoned_at = None
            self.end(STOPPED)

    def fields(self) -> dict[str, Any]:
        """Return its state for the API."""
        return without_none(
            {
                "id": self.id,
                "parent": self._parent,
                "name": self._name,
                "status": self.status,
                "completed": self.done,
                "total": self.total,
                "unit": self.unit,
            }
        )


class Bars:
    """The bars of one run that this process makes. Not thread-safe: the run locks."""

    def __init__(self) -> None:
        self._process = os.urandom(4).hex()
        self._numbers = itertools.count(1)
        self._bars: list[Bar] = []
        self._sent: list[dict[str, Any]] = []
        self.count = 0
        """Bars so far."""

    @property
    def has_open(self) -> bool:
        """Whether a bar goes on; one whose loop was left does not."""
        return any(not bar.is_left for bar in self._bars)

    @property
    def leading(self) -> Bar | None:
        """The newest open bar directly below the run, else the newest one there."""
        top = [bar for bar in self._bars if bar.is_top]
        return next((bar for bar in reversed(top) if not bar.ended), top[-1] if top else None)

    def add(
        self, owner: Owner, parent: Bar | None, name: str, unit: str | None, progress_source: ProgressSource
    ) -> Bar:
        """Begin a bar."""
        self.count = next(self._numbers)
        id = f"{self._process}-{self.count}"
        above = parent.id if parent else None
        bar = Bar(owner, id, parent=above, name=name, unit=unit, progress_source=progress_source)
        self._bars.append(bar)
        return bar

    def open_bars(self) -> list[Bar]:
        """Return the bars that have not ended."""
        return [bar for bar in self._bars if not bar.ended]

    def take(self) -> dict[str, Any]:
        """Sample the open bars and return what to report of them; nothing if nothing changed."""
        for bar in self.open_bars():
            bar.sample()
        if not self._bars:
            return {}
        if len(self._bars) > MAX_BARS:
            self._forget()
        state = [bar.fields() for bar in self._bars[-MAX_BARS:]]
        if state == self._sent:
            return {}
        self._sent = state
        return {"bars": state, "bar_count": self.count}

    def _forget(self) -> None:
        """Drop the oldest bars that have ended and were reported."""
        reported = {each["id"] for each in self._sent if each["status"] != IN_PROGRESS}
        excess = len(self._bars) - MAX_BARS
        for bar in [bar for bar in self._bars if bar.ended and bar.id in reported][:excess]:
            self._bars.remove(bar)
        # Of more open bars than can be reported, the oldest wait until others have ended.
        self._bars.sort(key=lambda bar: not bar.ended)
