"""Limits: the figures of a rule for what time alone makes of runs and jobs."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any

from services.errors import NotAccepted
from services.schedules.duration import duration_text, seconds_of

MIN_TIMES, MAX_TIMES = 1.1, 100.0
MAX_AFTER_SECONDS, MAX_ABSENT_SECONDS = 30 * 86400.0, 400 * 86400.0
MIN_SECONDS = 60.0
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a rule asks of time; None for what its events do not need.

    Args:
        times: How many times its usual duration a run may take.
        percent: Progress that a run is to have.
        after_seconds: Time after its beginning at which it is to have it.
        clock: Time of day at which it is to have it, by the clocks of the rule's zone.
        absent_seconds: Time for which a job may have no run that begins.
    """

    times: float | None = None
    percent: float | None = None
    after_seconds: float | None = None
    clock: time | None = None
    absent_seconds: float | None = None

    @classmethod
    def parse(cls, given: Mapping[str, Any], *, overlong: bool, behind: bool, absent: bool) -> "Limits":
        """Read `times`, `percent`, `after` and `absent` as far as events need them.

        Args:
            given: The figures; `after` is a duration such as 2h or a time of day such as 06:00.
            overlong: Whether the rule listens to runs that take too long.
            behind: Whether it listens to progress.
            absent: Whether it listens to jobs without runs.

        Raises:
            NotAccepted: One is missing, is none, or not within its range.
        """
        after_seconds, clock = _after(str(given.get("after") or "")) if behind else (None, None)
        return cls(
            times=_number(given.get("times"), "How many times its usual duration a run may take", MIN_TIMES, MAX_TIMES)
            if overlong
            else None,
            percent=_number(given.get("percent"), "The progress to reach, in per cent,", 0.1, 100.0)
            if behind
            else None,
            after_seconds=after_seconds,
            clock=clock,
            absent_seconds=seconds_of(
                str(given.get("absent") or ""),
                what="The time without a run",
                minimum=MIN_SECONDS,
                maximum=MAX_ABSENT_SECONDS,
            )
            if absent
            else None,
        )

    @property
    def after(self) -> str:
        """When progress is judged, as `parse` reads it; empty for never."""
        if self.clock:
            return f"{self.clock:%H:%M}"
        return duration_text(self.after_seconds) if self.after_seconds else ""

    @property
    def absent(self) -> str:
        """The time without a run, as `parse` reads it; empty for none."""
        return duration_text(self.absent_seconds) if self.absent_seconds else ""

    @property
    def definition(self) -> dict[str, Any]:
        """The limits as the database stores them and `parse` reads them."""
        return {"times": self.times, "percent": self.percent, "after": self.after, "absent": self.absent}


def _number(given: Any, what: str, minimum: float, maximum: float) -> float:
    try:
        number = float(str(given if given is not None else "").strip().replace(",", "."))
    except ValueError:
        number = math.nan
    # Also false for what is no number.
    if not minimum <= number <= maximum:
        shown = str(given if given is not None else "")[:40]
        raise NotAccepted(f"{what} is a number from {minimum:g} to {maximum:g}, not “{shown}”.")
    return number


def _after(written: str) -> tuple[float | None, time | None]:
    if found := _CLOCK.fullmatch(written.strip()):
        try:
            return None, time(int(found[1]), int(found[2]))
        except ValueError:
            raise NotAccepted(f"“{written[:40]}” is no time of day: write it like 06:00.") from None
    try:
        what = "The time after the beginning"
        return seconds_of(written, what=what, minimum=MIN_SECONDS, maximum=MAX_AFTER_SECONDS), None
    except NotAccepted as error:
        raise NotAccepted(f"{error} A time of day is written like 06:00.") from None
