"""Runs side by side."""

from collections.abc import Sequence

from components.elements.jobs import RUN_STRIP_JS
from components.elements.jobs.job_fields import STATUS_STYLES, run_fields
from components.presentation.compact_elements import SharedDict
from components.window.live_element import LiveElement
from services.history.comparison import ComparedRun, differing


class Comparison(LiveElement, component="comparison.js", dependencies=[RUN_STRIP_JS]):
    """Progress of runs over each other, and what they say of themselves beside each other. Emits `live`."""

    def __init__(self) -> None:
        super().__init__()
        self.props["status-styles"] = SharedDict(STATUS_STYLES["streams"])

    def show(self, runs: Sequence[ComparedRun]) -> None:
        """Show these runs in the given order."""
        self.run_method(
            "show",
            [
                {
                    **run_fields("streams", each.run),
                    "name": each.name,
                    "points": each.points,
                    "unit": "%" if each.has_total else "",
                }
                for each in runs
            ],
            differing(runs),
        )

    def fail(self, problem: str) -> None:
        """Say why the runs could not be read; an empty text says that they were."""
        self.run_method("fail", problem)
