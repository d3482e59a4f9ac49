"""Live chart of progress over time."""

from components.window.live_element import LiveElement


class ProgressChart(LiveElement, component="progress_chart.js"):
    """Chart of completed units over time; its view is a `HistoryView`."""

    def __init__(self, *, label: str, unit: str = "") -> None:
        super().__init__()
        self.props["label"] = label
        self.props["unit"] = unit
