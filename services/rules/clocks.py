"""Clocks: which rules are due for a run or a job by time alone, and when the next of them is."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid5

from services.entities import Subject
from services.entities.base.listing import TAG_FACET
from services.period import zone_of
from services.rules.listener import Listener
from services.rules.occurrence import job_of, kind_of
from services.rules.rule import TIMED, RuleEvent

LONGEST_WAIT = timedelta(days=1000)
"""From then on a figure counts as never due."""
MIN_USUAL_SECONDS = 0.001
NO_TAG = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A run in progress or a job that is judged by time.

    Args:
        kind: Kind of the run, or of the runs of the job.
        job: Slug of the job; empty for a run without one.
        tags: Tags of the run, or of the newest run of the job.
        began: When the run began, or from when on the absence of the job counts.
        usual_seconds: How long runs of its job usually take; None if it is not known, and for a job.
        is_job: Whether it is a job.
        judged_at: What was due by then has been judged; None for nothing.
        changed_from: Rules that changed from then on are judged again; None for no such rules.
    """

    kind: str
    job: str
    tags: tuple[str, ...]
    began: datetime
    usual_seconds: float | None
    is_job: bool
    judged_at: datetime | None
    changed_from: datetime | None

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "Judged":
        """Return what a clock of `private.take_clocks` is of."""
        row = record["row"]
        is_job = record["subject_table"] == Subject.JOB
        began = datetime.fromisoformat(row["began_at"])
        if record["since"]:
            began = max(began, datetime.fromisoformat(record["since"]))
        judged, changed = record["judged_at"], record["changed_from"]
        return cls(
            kind=kind_of(record["subject_table"], row),
            tags=tuple(((row.get("newest") or {}) if is_job else row).get("tags") or ()),
            job=job_of(row),
            began=began,
            usual_seconds=row.get("usual_seconds"),
            is_job=is_job,
            judged_at=datetime.fromisoformat(judged) if judged else None,
            changed_from=datetime.fromisoformat(changed) if changed else None,
        )


class Ladder:
    """Figures of rules in ascending order, in units of time since a beginning."""

    def __init__(self, rules: Iterable[tuple[float, Listener]]) -> None:
        steps = sorted(rules, key=lambda step: step[0])
        self._figures = [figure for figure, _ in steps]
        self._rules = [rule for _, rule in steps]

    def due(self, after: float, until: float, changed_from: datetime | None) -> list[Listener]:
        """Return the rules with a figure between `after` and `until`, and any below that changed from a time on."""
        first, last = bisect_right(self._figures, after), bisect_right(self._figures, until)
        earlier = [each for each in self._rules[:first] if each.changed_at >= changed_from] if changed_from else []
        return earlier + self._rules[first:last]

    def next(self, until: float) -> float | None:
        """Return the first figure after `until`; None for none."""
        place = bisect_right(self._figures, until)
        return self._figures[place] if place < len(self._figures) else None


@dataclass(slots=True)
class Shelf:
    """The rules of one organisation for a kind of run, of one job or of all."""

    steps: dict[RuleEvent, list[tuple[float, Listener]]] = field(default_factory=lambda: defaultdict(list))
    clocks: dict[tuple[str, time], list[Listener]] = field(default_factory=lambda: defaultdict(list))
    ladders: dict[RuleEvent, Ladder] = field(default_factory=dict)

    def add(self, listener: Listener) -> None:
        """Add a rule; `close` ends that."""
        limits = listener.rule.limits
        figures = {
            RuleEvent.OVERLONG: limits.times,
            RuleEvent.BEHIND: limits.after_seconds,
            RuleEvent.ABSENT: limits.absent_seconds,
        }
        for event, figure in figures.items():
            if figure is not None:
                self.steps[event].append((figure, listener))
        if limits.clock is not None:
            self.clocks[listener.rule.zone, limits.clock].append(listener)

    def close(self) -> None:
        """Order what was added."""
        self.ladders = {event: Ladder(self.steps[event]) for event in sorted(TIMED)}


class Clocks:
    """The rules of one organisation that judge by time, by the kind, the job and the tags that they are for."""

    def __init__(self, rules: Iterable[Listener]) -> None:
        self._shelves: dict[tuple[str, str, str], Shelf] = defaultdict(Shelf)
        for each in rules:
            for kind, query in each.rule.filter.queries.items():
                for tag in query.chosen.get(TAG_FACET.name) or (NO_TAG,):
                    self._shelves[kind, each.rule.filter.job, tag].add(each)
        for shelf in self._shelves.values():
            shelf.close()

    def due(self, judged: Judged, now: datetime) -> list[tuple[RuleEvent, Listener]]:
        """Return the events that are due for a run or a job, each once with its rule.

        Of what the rules are for the kind, the job and the tags are looked at alone.
        """
        found: list[tuple[RuleEvent, Listener]] = []
        for shelf in self._of(judged):
            for event, unit in _units(judged):
                after = _units_between(judged.began, judged.judged_at, unit) if judged.judged_at else -1.0
                until = _units_between(judged.began, now, unit)
                found += [(event, each) for each in shelf.ladders[event].due(after, until, judged.changed_from)]
            for (zone, clock), rules in shelf.clocks.items() if not judged.is_job else ():
                last = _last(zone, clock, now)
                if last <= judged.began:
                    continue
                is_due = judged.judged_at is None or last > judged.judged_at
                found += [
                    (RuleEvent.BEHIND, each)
                    for each in rules
                    if is_due or (judged.changed_from and each.changed_at >= judged.changed_from)
                ]
        # A rule for several tags is on several shelves.
        return list({(event, each.id): (event, each) for event, each in found}.values())

    def next(self, judged: Judged, now: datetime) -> datetime | None:
        """Return when the next figure is due for a run or a job; None for never."""
        found = []
        for shelf in self._of(judged):
            for event, unit in _units(judged):
                figure = shelf.ladders[event].next(_units_between(judged.began, now, unit))
                seconds = (figure or 0.0) * unit
                if figure is not None and seconds < LONGEST_WAIT.total_seconds():
                    found.append(judged.began + timedelta(seconds=seconds))
            found += [_next(zone, clock, now) for zone, clock in (shelf.clocks if not judged.is_job else ())]
        return min(found, default=None)

    def _of(self, judged: Judged) -> list[Shelf]:
        keys = [(judged.kind, job, tag) for job in {"", judged.job} for tag in {NO_TAG, *judged.tags}]
        return [self._shelves[key] for key in keys if key in self._shelves]


def source_of(event: RuleEvent, subject_id: UUID, judged: Judged, attempt: int | None) -> UUID:
    """Return what makes an event of time one: the attempt of a run, or the absence of a job."""
    of = judged.began.astimezone(UTC).isoformat() if judged.is_job else str(attempt)
    return uuid5(subject_id, f"{event} {of}")


def clock_times(zone: str, clock: time, after: datetime, until: datetime) -> list[datetime]:
    """Return each time at which the clocks of a zone show a time of day, after a time and until another."""
    days = (until - after).days + 2
    found = {each for number in range(days) for each in _around(zone, clock, after + timedelta(days=number))}
    return sorted(each for each in found if after < each <= until)


def _units(judged: Judged) -> list[tuple[RuleEvent, float]]:
    """Return the events that a subject can have, with the seconds of their units."""
    if judged.is_job:
        return [(RuleEvent.ABSENT, 1.0)]
    usual = judged.usual_seconds
    known = [(RuleEvent.OVERLONG, max(usual, MIN_USUAL_SECONDS))] if usual is not None else []
    return [*known, (RuleEvent.BEHIND, 1.0)]


def _units_between(began: datetime, moment: datetime, unit: float) -> float:
    return (moment - began).total_seconds() / unit


@lru_cache(maxsize=4096)
def _on(zone: str, clock: time, year: int, month: int, day: int) -> datetime:
    # A time that the clocks skip is later by what they skip; one that comes twice is the first.
    return datetime(year, month, day, clock.hour, clock.minute, tzinfo=zone_of(zone)).astimezone(UTC)


def _last(zone: str, clock: time, now: datetime) -> datetime:
    return max(each for each in _around(zone, clock, now) if each <= now)


def _next(zone: str, clock: time, now: datetime) -> datetime:
    return min(each for each in _around(zone, clock, now) if each > now)


def _around(zone: str, clock: time, now: datetime) -> list[datetime]:
    local = now.astimezone(zone_of(zone)).date()
    days = (local + timedelta(days=number) for number in (-2, -1, 0, 1, 2))
    return [_on(zone, clock, each.year, each.month, each.day) for each in days]
