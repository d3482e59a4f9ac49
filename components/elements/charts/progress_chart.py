"""A live chart of progress over time."""

from components.window.live_element import SHARED_JS, LiveElement


class ProgressChart(LiveElement, component="progress_chart.js", dependencies=[SHARED_JS]):
    """What was done over time; bind it to a `HistoryView`."""

    def __init__(self, *, label: str, unit: str = "") -> None:
        super().__init__()
        self.props["label"] = label
        self.props["unit"] = unit
