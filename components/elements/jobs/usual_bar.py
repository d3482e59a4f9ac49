"""One run against those of its job before it."""

from dataclasses import replace

from components.elements.jobs import RUN_STRIP_JS
from components.elements.jobs.job_fields import STATUS_STYLES, job_fields
from components.presentation.compact_elements import SharedDict
from components.window.live_element import LiveElement
from services.history.jobs import Job


class UsualBar(LiveElement, component="usual_bar.js", dependencies=[RUN_STRIP_JS]):
    """Number of a run, its duration against the usual one, and its neighbours; invisible for a run without a job.

    Emits `live`.
    """

    def __init__(self, run: str) -> None:
        super().__init__()
        self.props["run"] = run
        self.props["status-styles"] = SharedDict(STATUS_STYLES)

    def show(self, job: Job) -> None:
        """Show the run, the last one of the given job, among those before it."""
        before = replace(job, runs=job.runs[:-1])
        self.run_method("show", job_fields(job), before.durations if before.usual else [])
