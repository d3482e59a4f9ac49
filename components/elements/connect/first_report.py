"""Status of the first report of a program."""

from datetime import datetime

from components.presentation.time import epoch_ms
from components.window.live_element import LiveElement


class FirstReport(LiveElement, component="first_report.js"):
    """Announces the first report until `wait`, then awaits it; `show` ends both. `is_ready` skips the first state."""

    def __init__(self, *, is_ready: bool) -> None:
        super().__init__()
        self.props["ready"] = is_ready
        self.props["report"] = None

    def wait(self) -> None:
        """Show that the first report is awaited, after a key was created."""
        self.props["ready"] = True

    def show(self, *, name: str, path: str, at: datetime) -> None:
        """Show the reported run.

        Args:
            name: Name of the run.
            path: Path of its page.
            at: Time of the report.
        """
        self.props["report"] = {"name": name, "path": path, "at": epoch_ms(at)}
