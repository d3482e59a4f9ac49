"""Pace: when what has fired is told, and the quiet hours in which nothing is."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

from services.errors import NotAccepted
from services.period import zone_of

GROUP_SECONDS = 30.0
DIGEST_TIME = time(8)
_HOURS = re.compile(r"(\d{1,2}):(\d{2})\s*[-\u2013]\s*(\d{1,2}):(\d{2})")


class Pace(StrEnum):
    """How events are gathered before they are told: not at all, for half a minute, by the hour, or by the day."""

    AT_ONCE = "at_once"
    GROUPED = "grouped"
    HOURLY = "hourly"
    DAILY = "daily"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """The part of each day from `begins` to `ends`, which may be of the next day, by the clocks of a zone."""

    begins: time
    ends: time
    zone: str = "UTC"

    @classmethod
    def parse(cls, written: str, zone: str) -> "QuietHours | None":
        """Read hours such as 22:00-07:00; None for an empty text.

        Raises:
            NotAccepted: They are no hours, are empty, or there is no such zone.
        """
        if not written.strip():
            return None
        found = _HOURS.fullmatch(written.strip())
        try:
            times = (
                [time(int(hour), int(minute)) for hour, minute in (found.groups()[:2], found.groups()[2:])]
                if found
                else []
            )
        except ValueError:
            times = []
        if len(times) < 2 or times[0] == times[1]:
            raise NotAccepted(f"The quiet hours “{written[:40]}” are not written like 22:00-07:00.")
        return cls(begins=times[0], ends=times[1], zone=zone_of(zone).key)

    def __str__(self) -> str:
        return f"{self.begins:%H:%M}-{self.ends:%H:%M}"

    def end_after(self, moment: datetime) -> datetime:
        """Return when the quiet hours that a moment is in are over; the moment itself outside of them."""
        local = moment.astimezone(zone_of(self.zone))
        clock = local.time().replace(tzinfo=None)
        over_midnight = self.begins > self.ends
        is_quiet = clock >= self.begins or clock < self.ends if over_midnight else self.begins <= clock < self.ends
        if not is_quiet:
            return moment
        day = local.date() + timedelta(days=1 if over_midnight and clock >= self.begins else 0)
        return datetime.combine(day, self.ends, local.tzinfo).astimezone(UTC)


def due_at(pace: Pace, quiet: QuietHours | None, now: datetime) -> datetime:
    """Return when an event of now is told, in UTC; a digest of the day at 8 o'clock of the zone of the quiet hours."""
    due = now
    if pace is Pace.GROUPED:
        due = now + timedelta(seconds=GROUP_SECONDS)
    elif pace is Pace.HOURLY:
        due = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    elif pace is Pace.DAILY:
        local = now.astimezone(zone_of(quiet.zone if quiet else "UTC"))
        day = local.date() + timedelta(days=local.time() >= DIGEST_TIME)
        due = datetime.combine(day, DIGEST_TIME, local.tzinfo).astimezone(UTC)
    return quiet.end_after(due) if quiet else due
