"""Rows of the tables that hold an organisation, in the order of their columns."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

from benchmarks.organisation.runs import FAILED, PENDING, RUNNING, SUCCEEDED, Run, Runs, numbered_jobs, shares
from benchmarks.organisation.schedule import DAY, hexadecimal
from benchmarks.organisation.words import COMPANIES, OBJECTS, RARE_WORD, SIGNALS, STEPS, TAGS, TYPES

Row = tuple[Any, ...]
HEARTBEAT_SECONDS = 15.0
STREAM_STATUS = {SUCCEEDED: "completed", FAILED: "blocked", "stopped": "stopped", RUNNING: "in_progress"}
SCAN_STATUS = {SUCCEEDED: "completed", FAILED: "failed", "stopped": "stopped", RUNNING: "scanning"}
AGENT_STATUS = {
    SUCCEEDED: "completed",
    FAILED: "failed",
    "stopped": "cancelled",
    RUNNING: "running",
    PENDING: "pending",
}

_COMMON = "id, org_id, version, created_at, updated_at"
_RUN = f"{_COMMON}, slug, job_id, number, usual_seconds, heartbeat_at, heartbeat_interval, archived_at, error"
COLUMNS = {
    "jobs": "id, org_id, kind, slug, name, run_count, last_run_at, created_at",
    "streams": f"{_RUN}, name, description, stream_type, goal_status, completed, total, unit, metadata, finished_at, "
    "last_progress_at, rate, rate_window, progress_interval, created_by, owner_id, tags",
    "acquisition_scans": f"{_RUN}, stream_id, name, status, current_step, steps, progress_percentage, "
    "targets_identified, targets_analyzed, started_at, completed_at, last_progress_at, rate, rate_window, "
    "progress_interval",
    "agent_executions": f"{_RUN}, stream_id, agent_id, agent_name, status, started_at, completed_at, duration_ms, "
    "input_summary, output_summary",
    "activities": f"{_COMMON}, stream_id, subject_table, subject_id, subject_name, status, previous_status",
    "progress_points": "subject_id, org_id, at, done, whole",
    "signal_alerts": f"{_COMMON}, user_id, event_id, sent_by, stream_id, company_name, target_name, signal_type, "
    "signal_strength, status, read_at, metadata, detected_at",
    "notifications": f"{_COMMON}, user_id, type, title, message, action_url, read_at",
}
"""Columns of each table that is filled, in the order of the rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Whose rows: the organisation, its members, the key of its programs, and the end of what is told, in seconds."""

    org: str
    members: Sequence[str]
    key: str
    end: float


def job_rows(place: Place, runs: Runs) -> Iterator[Row]:
    """Yield the jobs of all kinds."""
    for kind in (runs.streams, runs.scans, runs.agents):
        for job, count, first, last in numbered_jobs(kind).values():
            yield job.id, place.org, job.kind, job.slug, job.name, count, time(last), time(first)


def stream_rows(random: Random, place: Place, streams: list[Run]) -> Iterator[Row]:
    """Yield streams; half of them know their total."""
    for version, run in enumerate(streams, start=1):
        job = run.job
        done, total = _progress(random, place, run)
        latest = run.ended or place.end - random.random() * HEARTBEAT_SECONDS
        status = STREAM_STATUS[run.status]
        if run.status == RUNNING:
            status = random.choice(("in_progress", "on_track", "on_track", "at_risk"))
        by = None if job else random.choice(place.members)
        span = max(1.0, latest - run.began)
        metadata = {"commit": f"{random.getrandbits(32):08x}", "host": f"batch-{random.randrange(40)}"}
        yield (
            *_run(place, version, run, latest),
            *(
                run.name,
                f"{run.name}, by {'a person' if by else 'schedule'}",
                job.type if job else random.choice(TYPES),
            ),
            *(status, done, total, job.unit if job else None, json.dumps(metadata)),
            *(time(run.ended), time(latest), done / span, min(span, 300.0), 5.0, by, by),
            list(job.tags) if job else random.sample(TAGS, random.randrange(3)),
        )


def scan_rows(random: Random, place: Place, scans: list[Run]) -> Iterator[Row]:
    """Yield scans."""
    for version, run in enumerate(scans, start=1):
        latest = run.ended or place.end - random.random() * HEARTBEAT_SECONDS
        part = 100.0 if run.status == SUCCEEDED else round(random.uniform(1, 97), 1)
        found = random.randrange(10, 9_000)
        step = None if run.ended else STEPS[int(part / 100 * len(STEPS))]
        yield (
            *_run(place, version, run, latest),
            *(run.parent and run.parent.id, run.name, SCAN_STATUS[run.status], step, json.dumps(STEPS), part),
            *(found, int(found * part / 100), time(run.began), time(run.ended), time(latest)),
            *(part / max(1.0, latest - run.began), 60.0, 5.0),
        )


def agent_rows(random: Random, place: Place, agents: list[Run]) -> Iterator[Row]:
    """Yield agent executions."""
    for version, run in enumerate(agents, start=1):
        assert run.job
        assert run.parent
        latest = run.ended or place.end - random.random() * HEARTBEAT_SECONDS
        many = random.randrange(1, 5_000)
        thing = OBJECTS[many % len(OBJECTS)]
        output = None
        if run.status == SUCCEEDED:
            rare = f", one of {RARE_WORD}" if run.name.endswith(RARE_WORD) else ""
            output = f"Wrote {many} rows of {thing}{rare}"
        yield (
            *_run(place, version, run, latest),
            *(run.parent.id, run.job.slug, run.name, AGENT_STATUS[run.status]),
            *(None if run.status == PENDING else time(run.began), time(run.ended)),
            *(None if run.ended is None else int((run.ended - run.began) * 1000), f"{many} {thing}", output),
        )


def activity_rows(random: Random, place: Place, runs: Runs) -> Iterator[Row]:
    """Yield the begin of each run that has begun, and its end."""
    version = 0
    kinds = (
        ("streams", runs.streams, STREAM_STATUS),
        ("acquisition_scans", runs.scans, SCAN_STATUS),
        ("agent_executions", runs.agents, AGENT_STATUS),
    )
    for table, found, statuses in kinds:
        for run in found:
            stream = run.id if table == "streams" else run.parent and run.parent.id
            steps: list[tuple[float, str, str | None]] = (
                [(run.began, statuses[RUNNING], None)] if run.status != PENDING else []
            )
            if run.ended is not None:
                steps.append((run.ended, statuses[run.status], statuses[RUNNING]))
            for at, status, before in steps:
                version += 1
                when = time(at)
                yield (
                    *(hexadecimal(random), place.org, version, when, when),
                    *(stream, table, run.id, run.name, status, before),
                )


def progress_rows(random: Random, place: Place, runs: Runs, count: int) -> Iterator[Row]:
    """Yield exactly `count` points of the progress of streams and scans."""
    both = [*runs.streams, *runs.scans]
    weights = [min(4_000.0, ((run.ended or place.end) - run.began) ** 0.7) for run in both]
    for run, many in zip(both, shares(weights, count), strict=True):
        span = (run.ended or place.end) - run.began
        whole = 100.0 if run.job and run.job.kind == "scans" else float(random.randrange(1_000, 900_000))
        for point in range(1, many + 1):
            part = point / many
            yield run.id, place.org, time(run.began + span * part), round(whole * part, 1), whole


def alert_rows(random: Random, place: Place, begin: float, streams: list[Run], count: int) -> Iterator[Row]:
    """Yield `count` alerts, a fifth of them to two to five members; what is older than a week was read by most."""
    version = 0
    for number in range(count):
        at = begin + (number + random.random()) * (place.end - begin) / count
        many = random.randrange(2, 6) if random.random() < 0.2 else 1
        recipients = random.sample(place.members[1:], many - 1)
        # The first member is on call.
        recipients.insert(0, place.members[0] if random.random() < 0.5 else random.choice(place.members[1:]))
        ids = [hexadecimal(random) for _ in dict.fromkeys(recipients)]
        event = ids[0] if len(ids) > 1 else None
        stream = random.choice(streams).id if random.random() < 0.7 else None
        strength = min(100, int(random.betavariate(2.2, 2) * 101))
        content = (stream, random.choice(COMPANIES), random.choice(OBJECTS), random.choice(SIGNALS), strength)
        details = json.dumps({"score": strength / 100, "batch": number})
        for id, user in zip(ids, dict.fromkeys(recipients), strict=True):
            version += 1
            is_read = random.random() < (0.97 if place.end - at > 7 * DAY else 0.4)
            read_at = time(min(place.end, at + random.expovariate(1 / 7200))) if is_read else None
            status = random.choice(("acknowledged", "acknowledged", "dismissed", "new")) if is_read else "new"
            yield (
                *(
                    id,
                    place.org,
                    version,
                    time(at),
                    read_at or time(at),
                    user,
                    event,
                    place.key if id == ids[0] else None,
                ),
                *content,
                *(status, read_at, details, time(at)),
            )


def notification_rows(random: Random, place: Place, begin: float, count: int) -> Iterator[Row]:
    """Yield notifications of all members."""
    for number in range(count):
        at = begin + (number + random.random()) * (place.end - begin) / count
        kind = random.choice(("info", "success", "warning", "error"))
        thing = random.choice(OBJECTS)
        read_at = time(min(place.end, at + random.expovariate(1 / 7200))) if random.random() < 0.9 else None
        yield (
            *(hexadecimal(random), place.org, number + 1, time(at), read_at or time(at)),
            *(random.choice(place.members), kind, f"The report on {thing} is ready"),
            *(f"{random.randrange(9_999)} {thing} of {random.choice(COMPANIES)}", "/jobs", read_at),
        )


def time(seconds: float | None) -> datetime | None:
    """Return a time of PostgreSQL."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _run(place: Place, version: int, run: Run, latest: float) -> Row:
    is_reported = run.job is not None
    return (
        *(run.id, place.org, version, time(run.began), time(latest), run.slug, run.job.id if run.job else None),
        *(run.number, run.usual, time(latest) if is_reported else None, HEARTBEAT_SECONDS if is_reported else None),
        *(time(run.archived), run.error),
    )


def _progress(random: Random, place: Place, run: Run) -> tuple[float, float]:
    has_total = random.random() < 0.5 or (run.job is not None and run.job.unit is not None)
    total = float(random.randrange(1_000, 900_000)) if has_total else 0.0
    part = 1.0 if run.status == SUCCEEDED else random.random()
    return (round(total * part) if has_total else float(random.randrange(1, 90_000)), total)
