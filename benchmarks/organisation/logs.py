"""Lines of the logs of an organisation's runs."""

from collections.abc import Iterator
from heapq import merge
from random import Random

from benchmarks.organisation.rows import Place, Row, time
from benchmarks.organisation.runs import FAILED, Run, Runs, rare_places, shares
from benchmarks.organisation.words import LINES, RARE_WORD, VERY_RARE_WORD

LOG_COLUMNS = "org_id, run_id, at, level, message"
LEVELS = ("debug",) * 24 + ("info",) * 66 + ("warning",) * 8 + ("error",) * 2
"""Levels in the proportion in which they occur."""
CRITICAL_RATE = 0.0005
VERY_RARE_LINES = 10


def log_rows(random: Random, place: Place, runs: Runs, count: int) -> Iterator[Row]:
    """Yield exactly `count` lines, those of each run in order of time, runs in the order of their begins.

    A run that failed says why in its last lines.
    """
    every = list(merge(runs.streams, runs.scans, runs.agents, key=lambda run: run.began))
    numbers = shares([0.0 if run is runs.crowd else run.weight for run in every], count)
    words = {place: f" near {RARE_WORD}" for place in rare_places(count)}
    words |= {
        int((place + 0.3) * count / VERY_RARE_LINES): f" over {VERY_RARE_WORD}" for place in range(VERY_RARE_LINES)
    }
    total = 0
    for run, many in zip(every, numbers, strict=True):
        last = (run.error or "").splitlines()[-many:] if run.status == FAILED else []
        for at, level, message in _lines(random, place, run, many, last):
            yield place.org, run.id, time(at), level, message + words.get(total, "")
            total += 1


def _lines(random: Random, place: Place, run: Run, many: int, last: list[str]) -> Iterator[tuple[float, str, str]]:
    span = ((run.ended or place.end) - run.began) / max(1, many)
    first_of_end = many - len(last)
    for place_of_line in range(many):
        at = run.began + span * (place_of_line + random.random())
        if place_of_line >= first_of_end:
            yield at, "error", last[place_of_line - first_of_end]
            continue
        level = random.choice(LEVELS) if random.random() > CRITICAL_RATE else "critical"
        template = random.choice(LINES[level])
        bits = random.getrandbits(30)
        yield at, level, template % (bits >> 13, bits & 8191)
