"""The plan of a schedule: when runs of a job are due, by a cron line in a zone or by an interval."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, pairwise
from typing import Any

from cronsim import CronSim, CronSimError

from services.errors import NotAccepted
from services.period import zone_of
from services.schedules.duration import duration_text, seconds_of

MIN_SECONDS = 60.0
MAX_SECONDS = 366 * 86400.0
DEFAULT_GRACE_SECONDS = 600.0
MAX_CRON_CHARACTERS = 200
EARLY_SECONDS = 60.0
"""How much before its due time a run may begin and still be the one that is due."""
JUDGED_GAPS = 100
"""Due times of a cron line from which its shortest gap follows."""
FIELDS = 5
EXAMPLE = "0 2 * * 1-5"


@dataclass(frozen=True, slots=True, kw_only=True)
class DueTime:
    """One time at which a run is due; each is aware and in UTC.

    Args:
        at: When it is due.
        opens_at: A run that begins from then on is the one that is due.
        late_at: When it is late.
    """

    at: datetime
    opens_at: datetime
    late_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """When runs of a job are expected; `parse` makes valid ones alone.

    Args:
        cron: Line of five fields in `zone`; empty for an interval.
        every_seconds: Seconds from the beginning of one run to that of the next; None for a cron line.
        zone: Name of the time zone.
        grace_seconds: How long a run that is due may take to begin.
        max_seconds: How long a run may take; None for any time.
    """

    cron: str = ""
    every_seconds: float | None = None
    zone: str = "UTC"
    grace_seconds: float = DEFAULT_GRACE_SECONDS
    max_seconds: float | None = None

    @classmethod
    def parse(cls, given: Mapping[str, Any], *, now: datetime | None = None) -> "Plan":
        """Read a plan as a person or a program wrote it.

        Args:
            given: `expect` holds a cron line or an interval such as `15m`; `zone`, `grace` and `max` are optional.
            now: The present, from which on a cron line has to fire.

        Raises:
            NotAccepted: One of them is wrong; the message names it and its value.
        """
        names = ("expect", "zone", "grace", "max")
        expected, zone, grace, longest = (str(given.get(name) or "").strip() for name in names)
        if not expected:
            raise NotAccepted(f"Say when a run is expected: a cron line such as {EXAMPLE}, or an interval such as 15m.")
        zone_of(zone)
        is_interval = len(expected.split()) == 1
        every = _seconds(expected, "The interval") if is_interval else None
        cron = "" if is_interval else " ".join(expected.split())
        if cron:
            _check(cron)
        gap = every or shortest_gap(cron, zone or "UTC", now or datetime.now(UTC))
        grace_seconds = _seconds(grace, "The grace") if grace else min(DEFAULT_GRACE_SECONDS, gap)
        if grace_seconds > gap:
            raise NotAccepted(
                f"The grace of {duration_text(grace_seconds)} is longer than the {duration_text(gap)} between two "
                "runs: a missing run would be noticed after the next one is due. Use a shorter grace."
            )
        return cls(
            cron=cron,
            every_seconds=every,
            zone=zone or "UTC",
            grace_seconds=grace_seconds,
            max_seconds=_seconds(longest, "The longest run") if longest else None,
        )

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "Plan":
        """Return the plan of a row of `public.schedules`."""
        return cls(
            cron=record["cron"] or "",
            every_seconds=record["every_seconds"],
            zone=record["zone"],
            grace_seconds=record["grace_seconds"],
            max_seconds=record.get("max_seconds"),
        )

    @property
    def as_json(self) -> dict[str, Any]:
        """The values that `public.put_schedule` takes."""
        given = {
            "cron": self.cron or None,
            "every_seconds": self.every_seconds,
            "zone": self.zone,
            "grace_seconds": self.grace_seconds,
            "max_seconds": self.max_seconds,
        }
        return {name: value for name, value in given.items() if value is not None}

    @property
    def expected(self) -> str:
        """The cron line or the interval, as `parse` reads it."""
        return self.cron or duration_text(self.every_seconds or 0)

    @property
    def sentence(self) -> str:
        """When it is due, in words."""
        if self.every_seconds is not None:
            return f"Every {duration_text(self.every_seconds)}, counted from the beginning of the last run"
        return f"{CronSim(self.cron, datetime.now(UTC)).explain()} ({self.zone})"

    def first_after(self, moment: datetime) -> DueTime | None:
        """Return the first due time after a moment; None for a cron line that never fires again."""
        if self.every_seconds is not None:
            return self._due(moment + timedelta(seconds=self.every_seconds), self.every_seconds)
        times = list(islice(_fire_times(self.cron, self.zone, moment), 2))
        if not times:
            return None
        gap = (times[1] - times[0]).total_seconds() if len(times) > 1 else MAX_SECONDS
        return self._due(times[0], min(2 * EARLY_SECONDS, gap) / 2)

    def next_due(
        self, *, now: datetime, due_at: datetime | None, met_at: datetime | None, is_late: bool
    ) -> DueTime | None:
        """Return the due time that follows one that was met or missed.

        Args:
            now: The present.
            due_at: The earlier due time; None for a schedule that is new, was changed or was resumed.
            met_at: When the run began that was due, or without an earlier due time the last run of the job.
            is_late: Whether the earlier due time was missed.

        Returns:
            The next due time that the run did not meet already; None for a cron line that never fires again.
        """
        if self.every_seconds is not None:
            if met_at is not None and not is_late and (due_at is not None or met_at + self._every > now):
                return self.first_after(met_at)
            return self._interval_after(due_at or now, now)
        if due_at is None:
            found = self.first_after(now)
        elif is_late or met_at is None:
            # After a long absence of the app, one of the due times that passed is enough.
            found = self.first_after(max(due_at, now - timedelta(seconds=self.grace_seconds)))
        else:
            found = self.first_after(max(due_at, met_at))
        while found is not None and met_at is not None and found.opens_at <= met_at:
            found = self.first_after(found.at)
        return found

    @property
    def _every(self) -> timedelta:
        return timedelta(seconds=self.every_seconds or 0)

    def _interval_after(self, start: datetime, now: datetime) -> DueTime | None:
        found = self.first_after(start)
        behind = (now - timedelta(seconds=self.grace_seconds)) - start
        if behind > self._every:
            found = self.first_after(start + self._every * (behind // self._every))
        return found

    def _due(self, at: datetime, early_seconds: float) -> DueTime:
        at = at.astimezone(UTC)
        return DueTime(
            at=at,
            opens_at=at - timedelta(seconds=early_seconds),
            late_at=at + timedelta(seconds=self.grace_seconds),
        )


def shortest_gap(cron: str, zone: str, now: datetime) -> float:
    """Return the least seconds between two of the next due times of a cron line.

    Raises:
        NotAccepted: It never fires.
    """
    times = list(islice(_fire_times(cron, zone, now), JUDGED_GAPS))
    if not times:
        raise NotAccepted(f"The cron line “{cron}” never fires. Check its day and its month.")
    return min(
        ((later - earlier).total_seconds() for earlier, later in pairwise(times)),
        default=MAX_SECONDS,
    )


def _fire_times(cron: str, zone: str, after: datetime) -> Iterator[datetime]:
    # In UTC: the difference of two times of one zone would leave out the hour of a change of the clock.
    for moment in CronSim(cron, after.astimezone(zone_of(zone))):
        yield moment.astimezone(UTC)


@lru_cache(maxsize=256)
def _check(cron: str) -> None:
    if len(cron) > MAX_CRON_CHARACTERS:
        raise NotAccepted(f"A cron line has at most {MAX_CRON_CHARACTERS} characters; this one has {len(cron)}.")
    if len(cron.split()) != FIELDS:
        raise NotAccepted(
            f"The cron line “{cron}” has {len(cron.split())} fields instead of five: minute, hour, day, month and "
            f"weekday, such as {EXAMPLE}."
        )
    try:
        CronSim(cron, datetime.now(UTC))
    except CronSimError as error:
        raise NotAccepted(
            f"The cron line “{cron}” is wrong: {str(error).lower()}. Its fields are minute, hour, day, month and "
            f"weekday, such as {EXAMPLE}."
        ) from error


def _seconds(written: str, what: str) -> float:
    return seconds_of(written, what=what, minimum=MIN_SECONDS, maximum=MAX_SECONDS)
