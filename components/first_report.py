"""Whether a program has reported: waits, and turns green with the first report."""

from datetime import datetime

from nicegui.element import Element

from components.present import epoch_ms


class FirstReport(Element, component="first_report.js", dependencies=["lw_parts.js"]):
    """Says that it waits until `show`."""

    def __init__(self) -> None:
        super().__init__()
        self.props["report"] = None

    def show(self, *, name: str, path: str, at: datetime) -> None:
        """Tell of a run that was reported, and where it is."""
        self.props["report"] = {"name": name, "path": path, "at": epoch_ms(at)}
