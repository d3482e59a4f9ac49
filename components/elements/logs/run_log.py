"""The log of one run: its latest lines, older ones on demand, new ones as they come."""

from collections.abc import Callable, Sequence

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from components.presentation.rows import epoch_ms
from components.window.scripts import SHARED_JS
from services.history.run_logs import LogLine


class RunLog(Element, component="run_log.js", dependencies=[SHARED_JS]):
    """Shows nothing while there are no lines. Emits `live` when mounted, and `older` with the id of its first line."""

    def add(
        self, lines: Sequence[LogLine], *, is_first: bool = False, is_older: bool = False, more: bool = False
    ) -> None:
        """Add lines at the end, or older ones at the beginning; `more` says that there are still older ones."""
        told = [
            {"id": line.id, "at": epoch_ms(line.at), "level": line.level, "message": line.message} for line in lines
        ]
        self.run_method("add", told, {"first": is_first, "older": is_older, "more": more})

    def on_older(self, handler: Callable[[int], object]) -> None:
        """Call `handler` with the id that older lines are wanted of; it comes from the browser."""

        def asked(event: GenericEventArguments) -> object:

            return handler(event.args) if isinstance(event.args, int) else None

        self.on("older", asked)
