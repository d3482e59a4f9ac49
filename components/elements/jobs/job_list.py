"""List of jobs, each with a strip of its latest runs."""

from collections.abc import Callable, Mapping, Sequence

from components.elements.jobs import RUN_STRIP_JS
from components.elements.jobs.job_fields import STATUS_STYLES, job_fields
from components.presentation.compact_elements import SharedDict
from components.window.live_element import LiveElement
from services.history.jobs import Job


class JobList(LiveElement, component="job_list.js", dependencies=[RUN_STRIP_JS]):
    """List of jobs, with placeholders until the first `show`. Emits `live`, `kind`, `older` and `search`.

    Args:
        kinds: Labels of the kinds of run that can be chosen.
        kind: The chosen one.
    """

    def __init__(self, *, kinds: Mapping[str, str], kind: str) -> None:
        super().__init__()
        self.props["kinds"] = dict(kinds)
        self.props["kind"] = kind
        self.props["status-styles"] = SharedDict(STATUS_STYLES)

    def show(self, jobs: Sequence[Job], *, has_more: bool, is_search: bool) -> None:
        """Show these jobs in the given order.

        Args:
            jobs: The jobs.
            has_more: Whether older ones can be asked for.
            is_search: Whether they are the result of a search.
        """
        self.run_method("show", [job_fields(job) for job in jobs], {"more": has_more, "search": is_search})

    def fail(self, problem: str) -> None:
        """Say why the jobs could not be read; an empty text says that they were."""
        self.run_method("fail", problem)

    def choose(self, kind: str) -> None:
        """Show another kind as the chosen one."""
        self.run_method("choose", kind)

    def on_kind(self, handler: Callable[[str], object]) -> None:
        """Call `handler` with the kind that the user chose; it is not trusted."""
        self.on("kind", lambda event: handler(str(event.args)))

    def on_older(self, handler: Callable[[], object]) -> None:
        """Call `handler` when the user wants older jobs."""
        self.on("older", handler)

    def on_search(self, handler: Callable[[str], object]) -> None:
        """Call `handler` with the text that jobs must contain."""
        self.on("search", lambda event: handler(str(event.args)), throttle=0.3, leading_events=False)
