"""When an organisation works: jobs with a rhythm, runs that people start, and days on which something is broken."""

import math
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from random import Random

from benchmarks.organisation.words import (
    AGENT_DEEDS,
    AGENT_OBJECTS,
    DEEDS,
    LONG_TAIL,
    OBJECTS,
    PLACES,
    SYSTEMS,
    TAGS,
    TYPES,
    UNITS,
)

DAY = 86_400.0
YEARS = 2
DAYS = 365 * YEARS
INCIDENTS = 16
BY_PEOPLE = 0.05
"""Part of the runs that people start by hand; they belong to no job."""
SATURDAY = 5


class Rhythm(StrEnum):
    """How often a job runs."""

    HOURLY = "hourly"
    OFFICE = "office"
    NIGHTLY = "nightly"
    WEEKLY = "weekly"
    ON_DEMAND = "on demand"


DURATIONS = {
    Rhythm.HOURLY: (20, 900),
    Rhythm.OFFICE: (30, 1_500),
    Rhythm.NIGHTLY: (120, 14_000),
    Rhythm.WEEKLY: (600, 32_000),
    Rhythm.ON_DEMAND: (2, 90),
}
"""Seconds between which the medians of jobs are, by rhythm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job: what its runs have in common. Times are seconds since 1970.

    Args:
        id: Its id, as 32 hexadecimal digits.
        kind: Kind of its runs.
        slug: Its slug.
        name: Its name.
        rhythm: When it runs.
        offset: Seconds between the beginning of its hour, night or week and a run.
        is_weekday: Whether it rests at weekends.
        born: When it ran first.
        retired: When it ran last.
        median: Median of its durations in the beginning, in seconds.
        sigma: Standard deviation of their logarithm.
        drift: Factor by which it gets slower in a year.
        failure_rate: Part of its runs that fail on an ordinary day.
        system: What it depends on most.
        children: How many agents work in a run, as a weight.
        lines: How much it logs, as a weight.
        is_keyed: Whether its program names each run by a key.
        type: Type of its streams.
        unit: Unit of its progress.
        tags: Tags of its streams.
    """

    id: str
    kind: str
    slug: str
    name: str
    rhythm: Rhythm
    offset: float
    is_weekday: bool
    born: float
    retired: float
    median: float
    sigma: float
    drift: float
    failure_rate: float
    system: str
    children: float
    lines: float
    is_keyed: bool
    type: str
    unit: str | None
    tags: tuple[str, ...]

    def seconds(self, random: Random, at: float) -> float:
        """Return the duration of a run that begins at a time."""
        usual = self.median * math.exp(math.log(self.drift) * (at - self.born) / DAY / 365)
        is_outlier = random.random() < 0.015
        return max(1.0, usual * math.exp(random.gauss(0, self.sigma)) * (random.uniform(3, 9) if is_outlier else 1))

    def starts(self, random: Random, begin: float, end: float) -> Iterator[float]:
        """Yield the times at which it begins between two times; days are those of UTC."""
        day = begin - begin % DAY
        while day < end:
            weekday = datetime.fromtimestamp(day, UTC).weekday()
            for hour in self._hours(weekday):
                at = day + hour * 3600 + self.offset + random.random() * 5
                if max(begin, self.born) <= at < min(end, self.retired):
                    yield at
            day += DAY

    def _hours(self, weekday: int) -> range:
        if (self.is_weekday and weekday >= SATURDAY) or self.rhythm is Rhythm.ON_DEMAND:
            return range(0)
        if self.rhythm is Rhythm.HOURLY:
            return range(24)
        if self.rhythm is Rhythm.OFFICE:
            return range(8, 18)
        if self.rhythm is Rhythm.NIGHTLY:
            return range(1)
        return range(1) if weekday == int(self.offset) % 7 else range(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A time in which a system is broken, and the part of the runs on it that fail."""

    start: float
    end: float
    system: str
    share: float


class Incidents:
    """All incidents, in order."""

    def __init__(self, random: Random, begin: float, end: float) -> None:
        starts = sorted(random.uniform(begin, end - DAY) for _ in range(INCIDENTS))
        self._all = [
            Incident(
                start=start,
                end=start + random.uniform(3, 20) * 3600,
                system=random.choice(SYSTEMS),
                share=random.uniform(0.45, 0.85),
            )
            for start in starts
        ]
        self._starts = starts

    def failure_rate(self, job: Job, at: float) -> float:
        """Return the probability that a run of a job fails that begins at a time."""
        found = self._all[max(0, bisect(self._starts, at) - 1)]
        is_hit = found.start <= at < found.end and found.system == job.system
        return max(job.failure_rate, found.share if is_hit else 0.0)


def jobs_of(random: Random, kind: str, count: int, begin: float, end: float) -> list[Job]:
    """Return jobs: few run hourly, most weekly; one of four came later, one of eight is gone."""
    return [_job(random, kind, number, _rhythm(number, count), (begin, end)) for number in range(count)]


def starts_of(
    random: Random, jobs: list[Job], count: int, begin: float, end: float, *, late: int
) -> list[tuple[float, Job | None]]:
    """Return exactly `count` begins of runs in order; the `late` last ones by people, shortly before the end."""
    scheduled: list[tuple[float, Job | None]] = [(at, job) for job in jobs for at in job.starts(random, begin, end)]
    by_jobs = min(len(scheduled), count - late - round(count * BY_PEOPLE))
    chosen = random.sample(scheduled, by_jobs)
    chosen += [(end - random.uniform(300, DAY / 2), None) for _ in range(late)]
    while len(chosen) < count:
        at = begin + random.random() * (end - begin - DAY)
        day = at - at % DAY
        if datetime.fromtimestamp(day, UTC).weekday() < SATURDAY or random.random() < 0.15:
            chosen.append((min(max(begin, day + random.gauss(13.5, 2.5) * 3600), end - 1), None))
    return sorted(chosen, key=lambda each: each[0])


def _job(random: Random, kind: str, number: int, rhythm: Rhythm, period: tuple[float, float]) -> Job:
    begin, end = period
    if kind == "agents":
        rhythm = Rhythm.ON_DEMAND
    low, high = DURATIONS[rhythm]
    name, slug = _names(random, kind, number)
    offset = random.random() * (3000 if rhythm in (Rhythm.HOURLY, Rhythm.OFFICE) else 6 * 3600)
    return Job(
        id=hexadecimal(random),
        kind=kind,
        slug=slug,
        name=name,
        rhythm=rhythm,
        offset=offset,
        is_weekday=random.random() < 0.4,
        born=begin + (random.random() * 0.8 * (end - begin) if number % 4 == 3 else 0),
        retired=end - (random.random() * 0.6 * (end - begin) if number % 8 == 6 else 0),
        median=math.exp(random.uniform(math.log(low), math.log(high))),
        sigma=random.uniform(0.08, 0.45),
        drift=random.choice((1.0, 1.0, 1.05, 1.25, 0.9, 1.7)),
        failure_rate=random.choice((0.002, 0.005, 0.01, 0.02, 0.06)),
        system=random.choice(SYSTEMS),
        children=random.choice((0, 0, 0.3, 1, 1, 3)),
        lines=random.choice((0.2, 0.5, 1, 1, 2, 4)),
        is_keyed=random.random() < 0.5,
        type=random.choice(TYPES),
        unit=random.choice(UNITS),
        tags=tuple(sorted(random.sample(TAGS, random.randrange(4)))),
    )


def _rhythm(number: int, count: int) -> Rhythm:
    hourly, office, nightly = max(1, round(0.0036 * count)), max(1, round(0.007 * count)), max(2, round(0.22 * count))
    for rhythm, many in ((Rhythm.HOURLY, hourly), (Rhythm.OFFICE, office), (Rhythm.NIGHTLY, nightly)):
        if number < many:
            return rhythm
        number -= many
    return Rhythm.WEEKLY


def _names(random: Random, kind: str, number: int) -> tuple[str, str]:
    if kind == "agents":
        deed, thing = AGENT_DEEDS[number % len(AGENT_DEEDS)], AGENT_OBJECTS[number // len(AGENT_DEEDS) % 6]
        return f"{deed.capitalize()} {thing}", f"{deed}-{number}"
    deed, thing, place = random.choice(DEEDS), random.choice(OBJECTS), random.choice(PLACES)
    tail = LONG_TAIL if number % 40 == 17 else ""
    return f"{deed} {thing} ({place}){tail}", f"{'scan-' if kind == 'scans' else ''}{deed.lower()}-{number}"


def hexadecimal(random: Random) -> str:
    """Return an id: 32 hexadecimal digits."""
    return f"{random.getrandbits(128):032x}"
