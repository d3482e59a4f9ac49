"""Waits for the first report of a program, and turns green when it arrives."""

from datetime import datetime

from components.presentation.time import epoch_ms
from components.window.live_element import SHARED_JS, LiveElement


class FirstReport(LiveElement, component="first_report.js", dependencies=[SHARED_JS]):
    """Asks for a key until `wait` is called, then waits for a report until `show`; `is_ready` skips the first state."""

    def __init__(self, *, is_ready: bool) -> None:
        super().__init__()
        self.props["ready"] = is_ready
        self.props["report"] = None

    def wait(self) -> None:
        """Wait for a report: there is a key."""
        self.props["ready"] = True

    def show(self, *, name: str, path: str, at: datetime) -> None:
        """Show the run that was reported: its name, the path of its page, the time of the report."""
        self.props["report"] = {"name": name, "path": path, "at": epoch_ms(at)}
