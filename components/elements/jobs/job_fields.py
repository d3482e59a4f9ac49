"""Fields of jobs for the browser."""

from typing import Any

from components.presentation.time import epoch_ms
from services.entities import RUNS
from services.history.jobs import Job, JobRun

STATUS_STYLES = {kind: entity.statuses.styles() for kind, entity in RUNS.items()}


def job_fields(job: Job) -> dict[str, Any]:
    """Return a job with its runs, oldest first; times are in epoch milliseconds, durations in seconds."""
    succeeded, failed = job.outcomes
    usual, failure = job.usual, job.last_failure
    return {
        "id": str(job.id),
        "kind": job.kind,
        "slug": job.slug,
        "name": job.name,
        "count": job.run_count,
        "at": epoch_ms(job.last_run_at),
        "succeeded": succeeded,
        "failed": failed,
        "usual": usual and {"low": usual.low, "median": usual.median, "high": usual.high, "runs": usual.runs},
        "failure": failure and run_fields(job.kind, failure),
        "runs": [run_fields(job.kind, run) for run in job.runs],
    }


def run_fields(kind: str, run: JobRun) -> dict[str, Any]:
    """Return a run of a kind, with the path of its page."""
    return {
        "id": str(run.id),
        "number": run.number,
        "status": run.status,
        "from": epoch_ms(run.started_at),
        "to": epoch_ms(run.finished_at),
        "attempt": run.attempt,
        "error": run.error,
        "href": RUNS[kind].row_path.format(id=run.id),
    }
