"""Schedules of jobs: the last run, the next, what is late, and a strip of the latest runs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from components.elements.jobs import RUN_STRIP_JS
from components.elements.jobs.job_fields import STATUS_STYLES, run_fields
from components.presentation.compact_elements import SharedDict
from components.presentation.time import epoch_ms
from components.window.live_element import LiveElement
from services.history.jobs import Job
from services.schedules.duration import duration_text
from services.schedules.schedules import Schedule
from services.text import visible, visible_name


class ScheduleList(LiveElement, component="schedule_list.js", dependencies=[RUN_STRIP_JS]):
    """List of schedules, with placeholders until the first `show`. Emits `live` and `older`.

    Args:
        of_one_job: Whether it is on the page of a job, which shows name and runs itself.
    """

    def __init__(self, *, of_one_job: bool = False) -> None:
        super().__init__()
        self.props["status-styles"] = SharedDict(STATUS_STYLES)
        self.props["of-one-job"] = of_one_job

    def show(self, schedules: Sequence[Schedule], jobs: Mapping[Any, Job], *, has_more: bool = False) -> None:
        """Show schedules in the given order.

        Args:
            schedules: The schedules.
            jobs: Their jobs, with the latest runs, by id; those without one have not run yet.
            has_more: Whether more can be asked for.
        """
        rows = [schedule_fields(each, jobs.get(each.job_id)) for each in schedules]
        self.run_method("show", rows, has_more)

    def fail(self, problem: str) -> None:
        """Say why the schedules could not be read; an empty text says that they were."""
        self.run_method("fail", problem)

    def on_older(self, handler: Callable[[], object]) -> None:
        """Call `handler` when the user wants more schedules."""
        self.on("older", handler)


def schedule_fields(schedule: Schedule, job: Job | None) -> dict[str, Any]:
    """Return a schedule with the latest runs of its job; times are in epoch milliseconds."""
    plan = schedule.plan
    return {
        "id": str(schedule.id),
        "kind": schedule.kind,
        "slug": schedule.slug,
        "name": visible_name(schedule.name),
        "expected": visible(plan.sentence),
        "cron": plan.cron,
        "grace": duration_text(plan.grace_seconds),
        "max": duration_text(plan.max_seconds) if plan.max_seconds else None,
        "paused": schedule.paused_at is not None,
        "next": epoch_ms(schedule.next_due_at),
        "late": epoch_ms(schedule.late_since),
        "last": epoch_ms(schedule.last_run_at),
        "runs": [run_fields(schedule.kind, run) for run in job.runs] if job else [],
    }
