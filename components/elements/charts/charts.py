"""Live charts: the history of progress, and runs as bars over time."""

from nicegui.element import Element

from components.presentation.statuses import status_styles_of
from components.window.scripts import SHARED_JS
from services.entities import AgentStatus


class ProgressChart(Element, component="progress_chart.js", dependencies=[SHARED_JS]):
    """What was done over time, with a `HistoryView` behind it; emits `live` when mounted."""

    def __init__(self, *, label: str, unit: str = "") -> None:
        super().__init__()
        self.props["label"] = label
        self.props["unit"] = unit


class RunTimeline(Element, component="run_timeline.js", dependencies=[SHARED_JS]):
    """Agent executions as bars over time; takes the batches of a LiveList of agents and emits `live` when mounted."""

    def __init__(self, *, label: str = "Runs over time") -> None:
        super().__init__()
        self.props["looks"] = status_styles_of(AgentStatus)
        self.props["label"] = label
