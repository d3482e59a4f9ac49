"""Whether a program has reported: waits, and turns green with the first report."""

from datetime import datetime

from nicegui.element import Element

from components.presentation.rows import epoch_ms
from components.window.scripts import SHARED_JS


class FirstReport(Element, component="first_report.js", dependencies=[SHARED_JS]):
    """Asks for a key until `wait`, or waits from the beginning when it `is_ready`; then waits until `show`."""

    def __init__(self, *, is_ready: bool) -> None:
        super().__init__()
        self.props["ready"] = is_ready
        self.props["report"] = None

    def wait(self) -> None:
        """There is a key to wait for."""
        self.props["ready"] = True

    def show(self, *, name: str, path: str, at: datetime) -> None:
        """Tell of a run that was reported, and where it is."""
        self.props["report"] = {"name": name, "path": path, "at": epoch_ms(at)}
