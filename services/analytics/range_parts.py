"""Parts of a range of time that charts show: on the clock and the calendar of a zone."""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

MAX_PARTS = 110
MINUTES_KEPT = timedelta(hours=48)
"""Age up to which the database counts by minutes."""

Grain = Literal["minute", "quarter", "day"]
GRAINS: dict[Grain, timedelta] = {
    "minute": timedelta(minutes=1),
    "quarter": timedelta(minutes=15),
    "day": timedelta(days=1),
}
_MINUTES = [timedelta(minutes=count) for count in (1, 5, 15)]
_HOURS = [timedelta(hours=count) for count in (1, 3, 6)]
_DAYS = [timedelta(days=count) for count in (1, 7, 28, 91, 364, 3640, 36400)]
_WEEK = timedelta(days=7)
_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
_FIRST, _LAST = datetime(1, 1, 3, tzinfo=UTC), datetime(9999, 11, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeParts:
    """The parts of a range.

    Args:
        starts: Beginning of each part, ascending; each ends where the next one begins.
        end: End of the last part.
        grain: The coarsest roll-up that the parts are made of.
    """

    starts: tuple[datetime, ...]
    end: datetime
    grain: Grain

    def bounds(self, place: int) -> tuple[datetime, datetime]:
        """Return the beginning and the end of a part; raises IndexError for one that is not there."""
        if not 0 <= place < len(self.starts):
            raise IndexError(place)
        return self.starts[place], self.starts[place + 1] if place + 1 < len(self.starts) else self.end

    def place_of(self, moment: datetime) -> int:
        """Return the part that a moment belongs to; -1 for one before the range."""
        return bisect_right(self.starts, moment) - 1


def parts_of(start: datetime, end: datetime, zone: ZoneInfo, *, now: datetime) -> RangeParts:
    """Return the parts of a range, at most `MAX_PARTS`.

    Hours and days begin by the clock of the zone: a day has 23 to 25 of the former, and the hour that autumn repeats is
    one part of two. Parts of a week and more begin on Mondays of UTC. The range is widened to whole minutes, for what
    is older than two days to quarters of an hour, to which the offsets of all zones are multiples, and for weeks to
    days.

    Args:
        start: Beginning of the range.
        end: Its end, after the beginning.
        zone: The zone.
        now: The present.
    """
    start = min(max(start, _FIRST), _LAST - timedelta(minutes=1))
    end = min(max(end, start + timedelta(microseconds=1)), _LAST)
    width = next((each for each in (*_MINUTES, *_HOURS, *_DAYS) if (end - start) / each <= MAX_PARTS), _DAYS[-1])
    grain: Grain = "minute"
    if width >= timedelta(days=7):
        grain = "day"
    elif start < now - MINUTES_KEPT:
        grain, width = "quarter", max(width, GRAINS["quarter"])
    start, end = floor(start, GRAINS[grain]), ceiling(end, GRAINS[grain])
    if width < timedelta(hours=1):
        starts = _steps(floor(start, width), end, width)
    elif width <= timedelta(days=1):
        starts = _on_the_clock(start, end, width, zone)
    else:
        starts = _steps(ceiling(start, width), end, width)
    later = sorted({each for each in starts if start < each < end})
    return RangeParts(starts=(start, *later), end=end, grain=grain)


def floor(moment: datetime, width: timedelta) -> datetime:
    """Return the last multiple of a width since the first Monday of 1970 that is not after a moment."""
    return moment - (moment - _MONDAY) % width


def ceiling(moment: datetime, width: timedelta) -> datetime:
    """Return the first multiple of a width since the first Monday of 1970 that is not before a moment."""
    return moment + (_MONDAY - moment) % width


def week_ceiling(moment: datetime) -> datetime:
    """Return the first beginning of a week, a Monday of UTC, that is not before a moment."""
    return ceiling(moment, _WEEK)


def month_ceiling(moment: datetime) -> datetime:
    """Return the first beginning of a month of UTC that is not before a moment."""
    first = moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return first if first == moment else (first + timedelta(days=31)).replace(day=1)


def _steps(start: datetime, end: datetime, width: timedelta) -> list[datetime]:
    return [start + index * width for index in range(int((end - start) / width) + 1)]


def _on_the_clock(start: datetime, end: datetime, width: timedelta, zone: ZoneInfo) -> list[datetime]:
    """Return the times of the zone's clock that are a multiple of the width since midnight, and around the range."""
    first, last = start.astimezone(zone).date(), end.astimezone(zone).date()
    hours = max(1, int(width / timedelta(hours=1)))
    return [
        datetime.combine(day, time(hour), tzinfo=zone).astimezone(UTC)
        for day in _dates(first, last)
        for hour in range(0, 24, hours)
    ]


def _dates(first: date, last: date) -> list[date]:
    return [first + timedelta(days=index) for index in range((last - first).days + 1)]
