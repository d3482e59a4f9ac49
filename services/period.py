"""Ranges of time: a period before now, or between two times of a zone; from and to URL parameters."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from services.errors import NotAccepted

MAX_CHARACTERS = 60
PERIODS = {
    "15m": "Last 15 minutes",
    "1h": "Last hour",
    "6h": "Last 6 hours",
    "24h": "Last 24 hours",
    "7d": "Last 7 days",
    "30d": "Last 30 days",
    "90d": "Last 90 days",
}
"""Labels of the periods before now that lists offer."""
PARAMETERS = ("from", "to", "zone", "by")
"""Names of the URL parameters."""
BY_END = "ended"
"""Value of the parameter `by` of a range of when rows ended; it is of when they began otherwise."""

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_PERIOD = re.compile(r"(\d{1,5})([mhd])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A range of time as a person gave it; everything by default.

    Args:
        start: Its beginning: a period before now such as `24h`, or a time in ISO 8601; empty for none.
        end: Its end, likewise.
        zone: Name of the time zone of times without an offset; UTC by default.
        by: `ended` for the time at which rows ended; empty for that at which they began.
        problem: Why what was given is no range; it then includes everything.
    """

    start: str = ""
    end: str = ""
    zone: str = ""
    by: str = ""
    problem: str = ""

    @classmethod
    def parse(cls, params: Mapping[str, Any]) -> "Period":
        """Read `from`, `to`, `zone` and `by`; what is not valid is told by `problem`."""
        start, end, zone, by = (str(params.get(name) or "").strip()[:MAX_CHARACTERS] for name in PARAMETERS)
        if not start and not end:
            return EVERYTHING
        period = cls(start=start, end=end, zone=zone, by=by if by == BY_END else "")
        try:
            earliest, latest = period.bounds(datetime.now(UTC))
        except NotAccepted as error:
            return cls(problem=str(error))
        if earliest and latest and latest <= earliest:
            return cls(problem=f"The range from {start} to {end} ends before it begins. Everything is shown.")
        return period

    @property
    def params(self) -> dict[str, str]:
        """URL parameters; none for everything."""
        given = zip(PARAMETERS, (self.start, self.end, self.zone, self.by), strict=True)
        return {name: value for name, value in given if value}

    @property
    def is_everything(self) -> bool:
        """Whether it leaves out nothing."""
        return not self.start and not self.end

    @property
    def moves(self) -> bool:
        """Whether it moves with the time."""
        return any(_PERIOD.fullmatch(each) for each in (self.start, self.end))

    def bounds(self, now: datetime) -> tuple[datetime | None, datetime | None]:
        """Return its earliest time and the time before which it ends; None for none."""
        return time_of(self.start, now, self.zone), time_of(self.end, now, self.zone)

    def includes(self, moment: datetime | None, now: datetime) -> bool:
        """Whether a time is within it."""
        if self.is_everything:
            return True
        start, end = self.bounds(now)
        return moment is not None and (start is None or moment >= start) and (end is None or moment < end)


EVERYTHING = Period()


def time_of(given: object, now: datetime, zone: str = "") -> datetime | None:
    """Return a time that a person gave; None for an empty one.

    Args:
        given: ISO 8601, in `zone` if it names no offset, or a period before now such as `15m`, `1h` or `7d`.
        now: The present.
        zone: Name of a time zone of the IANA database; UTC by default.

    Raises:
        NotAccepted: It is no time, or there is no such zone.
    """
    value = str(given or "").strip()[:MAX_CHARACTERS]
    if not value:
        return None
    try:
        if period := _PERIOD.fullmatch(value):
            return now - int(period[1]) * _UNITS[period[2]]
        return _moment(value, zone)
    except (ValueError, OverflowError) as error:
        raise NotAccepted(
            f"“{value}” is not a time. Write it like 2026-11-26T10:00:00Z, or as a period before now: 15m, 1h or 7d."
        ) from error


@lru_cache(maxsize=256)
def _moment(value: str, zone: str) -> datetime:
    # Asked for with every row. PostgreSQL is sent no time that it cannot store.
    moment = datetime.fromisoformat(value)
    return (moment.replace(tzinfo=zone_of(zone)) if moment.tzinfo is None else moment).astimezone(UTC)


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone, UTC for an empty name; raises NotAccepted if there is none."""
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError) as error:
        raise NotAccepted(
            f"There is no time zone “{name}”. Use a name of the IANA database, such as Europe/Berlin."
        ) from error
