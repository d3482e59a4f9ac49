"""A job: how its runs end, how long they take, and the latest of them."""

from components.elements.jobs import RUN_STRIP_JS
from components.elements.jobs.job_fields import STATUS_STYLES, job_fields
from components.presentation.compact_elements import SharedDict
from components.window.live_element import LiveElement
from services.history.comparison import MAX_COMPARED
from services.history.jobs import Job


class JobPanel(LiveElement, component="job_panel.js", dependencies=[RUN_STRIP_JS]):
    """Figures, durations and latest runs of a job, with placeholders until the first `show`. Emits `live`."""

    def __init__(self) -> None:
        super().__init__()
        self.props["status-styles"] = SharedDict(STATUS_STYLES)
        self.props["most-compared"] = MAX_COMPARED

    def show(self, job: Job) -> None:
        """Show this job."""
        self.run_method("show", job_fields(job))

    def fail(self, problem: str) -> None:
        """Say why the job could not be read; an empty text says that it was."""
        self.run_method("fail", problem)
