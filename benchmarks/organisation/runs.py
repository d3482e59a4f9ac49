"""The runs of an organisation over two years: streams, scans, and the agent executions of streams."""

import statistics
from bisect import bisect
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from benchmarks.organisation.schedule import DAY, Incidents, Job, hexadecimal, starts_of
from benchmarks.organisation.words import COMPANIES, DEEDS, OBJECTS, RARE_WORD, SYSTEMS, error_text

USUAL_OF_RUNS = 50
MIN_USUAL_RUNS = 3
ARCHIVED_AFTER = 90 * DAY
CROWD_AGE = 400 * DAY
CHILDREN_AT_WORK = 4
SUCCEEDED, FAILED, RUNNING, PENDING = "completed", "failed", "running", "pending"


@dataclass(slots=True, kw_only=True)
class Run:
    """One run of any kind. Times are seconds since 1970.

    `status` is completed, failed, stopped, running or pending: each kind has its own word for it. `usual` is what
    runs of its job usually take, `weight` how much it logs.
    """

    id: str
    job: Job | None
    name: str
    began: float
    ended: float | None
    status: str
    error: str | None
    parent: "Run | None" = None
    number: int | None = None
    slug: str | None = None
    usual: float | None = None
    archived: float | None = None
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """All runs, each kind in the order of its begins; `crowd` is the stream with a tenth of all agents."""

    streams: list[Run]
    scans: list[Run]
    agents: list[Run]
    crowd: Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What runs are made from: the time that is told of, and what went wrong in it."""

    begin: float
    end: float
    incidents: Incidents


def top_level(random: Random, past: Past, jobs: list[Job], count: int) -> list[Run]:
    """Return streams or scans; some began shortly before the end and still run."""
    late = max(2, count // 2000)
    begins = starts_of(random, jobs, count, past.begin, past.end, late=late)
    rare = rare_places(count)
    runs = []
    for place, (at, job) in enumerate(begins):
        is_late = job is None and past.end - at < DAY / 2
        seconds = job.seconds(random, at) if job else random.lognormvariate(6.5, 1.2)
        run = _run(random, past, job, at, seconds + DAY if is_late else seconds)
        if place in rare:
            run.name = f"{run.name[:180]} {RARE_WORD}"
        runs.append(run)
    number(runs)
    return runs


def crowd_of(random: Random, past: Past, id: str) -> Run:
    """Return the stream that has worked for more than a year, with a tenth of all agents."""
    run = _run(random, past, None, past.end - CROWD_AGE, 2 * CROWD_AGE)
    run.id, run.name = id, f"Annotate the archive of {COMPANIES[0]} again"
    return run


def agents_of(random: Random, past: Past, jobs: list[Job], streams: list[Run], *, crowd: Run, count: int) -> list[Run]:
    """Return exactly `count` agent executions; a tenth of them belongs to `crowd`."""
    of_crowd = count // 10
    weights = [
        0.0 if run is crowd else (run.job.children if run.job else 1.0) * random.lognormvariate(0, 1) for run in streams
    ]
    numbers = shares(weights, count - of_crowd)
    begins: list[tuple[float, int, float]] = []
    for place, (run, many) in enumerate(zip(streams, numbers, strict=True)):
        span = (run.ended or past.end) - run.began
        for child in range(of_crowd if run is crowd else many):
            # Of a stream that still runs some agents began just now.
            is_last = run.ended is None and child < CHILDREN_AT_WORK
            at = past.end - random.random() * 40 if is_last else run.began + random.random() * 0.98 * span
            begins.append((at, place, random.random()))
    begins.sort()
    rare = rare_places(count)
    agents = []
    for place, (at, of_stream, chance) in enumerate(begins):
        parent = streams[of_stream]
        job = jobs[min(int(chance**2 * len(jobs)), len(jobs) - 1)]
        seconds = job.seconds(random, at)
        agents.append(_agent(random, past, job, parent, began=at, seconds=seconds))
        if place in rare:
            agents[-1].name = f"{job.name} {RARE_WORD}"
    number(agents)
    return agents


def attach(random: Random, scans: list[Run], streams: list[Run]) -> None:
    """Give two of three scans the stream that began last before them."""
    begins = [run.began for run in streams]
    for scan in scans:
        if random.random() < 0.66 and (place := bisect(begins, scan.began)):
            scan.parent = streams[place - 1]


def number(runs: list[Run]) -> None:
    """Number the runs of each job in their order, with their addresses and what is usual by those before."""
    counts: dict[str, int] = {}
    earlier: dict[str, deque[float | None]] = {}
    last: dict[str, Run] = {}
    for run in runs:
        if run.job is None:
            continue
        known = earlier.setdefault(run.job.id, deque(maxlen=USUAL_OF_RUNS))
        run.number = counts[run.job.id] = counts.get(run.job.id, 0) + 1
        done = [seconds for seconds in known if seconds is not None]
        if run.number > MIN_USUAL_RUNS and len(done) >= MIN_USUAL_RUNS:
            run.usual = statistics.median(done)
        known.append(run.ended - run.began if run.ended is not None and run.status == SUCCEEDED else None)
        run.slug = f"{run.job.slug}@{run.id[:12] if run.job.is_keyed else run.number}"
        last[run.job.id] = run
    for run in last.values():
        if run.job and not run.job.is_keyed:
            run.slug = run.job.slug


def shares(weights: list[float], count: int) -> list[int]:
    """Return whole numbers in the proportion of weights whose sum is exactly `count`."""
    total = sum(weights) or 1.0
    bounds = [round(part / total * count) for part in accumulate(weights)]
    return [upper - lower for lower, upper in zip([0, *bounds], bounds, strict=False)]


def rare_places(count: int) -> set[int]:
    """Return the places of `count` at which the rare word stands: one of 5,000, and three at least."""
    many = min(count, max(3, count // 5_000))
    return {int((place + 0.5) * count / many) for place in range(many)}


def _run(random: Random, past: Past, job: Job | None, at: float, seconds: float) -> Run:
    system = job.system if job else random.choice(SYSTEMS)
    rate = past.incidents.failure_rate(job, at) if job else 0.04
    status, error, ended = SUCCEEDED, None, at + seconds
    if random.random() < rate:
        status, ended = FAILED, at + seconds * random.uniform(0.05, 1)
        error = error_text(random, system)
    elif random.random() < 0.006:
        status = "stopped"
    name = job.name if job else f"{random.choice(DEEDS)} {random.choice(OBJECTS)} for {random.choice(COMPANIES)}"
    run = Run(id=hexadecimal(random), job=job, name=name, began=at, ended=ended, status=status, error=error)
    run.weight = min(3_500.0, (job.lines if job else 1.0) * random.lognormvariate(3.4, 1.2))
    return _so_far(random, past, run)


def _agent(random: Random, past: Past, job: Job, parent: Run, *, began: float, seconds: float) -> Run:
    ends_at = min(began + seconds, parent.ended or began + seconds)
    is_failed = random.random() < (0.2 if parent.status == FAILED else job.failure_rate)
    status = FAILED if is_failed else "stopped" if random.random() < 0.003 else SUCCEEDED
    error = error_text(random, job.system) if is_failed else None
    run = Run(
        id=hexadecimal(random),
        job=job,
        name=job.name,
        began=began,
        ended=ends_at,
        status=status,
        error=error,
        parent=parent,
        weight=min(60.0, random.lognormvariate(0.7, 1.0)),
    )
    if ends_at > past.end and random.random() < 0.2:
        run.status = PENDING
    return _so_far(random, past, run)


def _so_far(random: Random, past: Past, run: Run) -> Run:
    """Return the run as it is at the end of the time that is told of."""
    assert run.ended is not None
    if run.ended > past.end:
        run.status, run.ended, run.error = PENDING if run.status == PENDING else RUNNING, None, None
    elif past.end - run.ended > ARCHIVED_AFTER and random.random() < 0.8:
        run.archived = run.ended + ARCHIVED_AFTER
    return run


def numbered_jobs(runs: Iterable[Run]) -> dict[str, tuple[Job, int, float, float]]:
    """Return each job that has run, with the number of its newest run and the times of its first and its newest."""
    found: dict[str, tuple[Job, int, float, float]] = {}
    for run in runs:
        if run.job:
            first = found[run.job.id][2] if run.job.id in found else run.began
            found[run.job.id] = (run.job, run.number or 0, first, run.began)
    return found
