"""The log of one run: its latest lines, older lines on demand, new lines as they come."""

from collections.abc import Callable, Sequence

from nicegui.events import GenericEventArguments

from components.presentation.time import epoch_ms
from components.window.live_element import SHARED_JS, LiveElement
from services.history.run_logs import LogLine


class RunLog(LiveElement, component="run_log.js", dependencies=[SHARED_JS]):
    """Invisible without lines. Emits `live` when mounted, and `older` with the id of its first line."""

    def add(
        self, lines: Sequence[LogLine], *, is_first: bool = False, is_older: bool = False, more: bool = False
    ) -> None:
        """Append lines, or prepend older ones.

        Args:
            lines: The lines, oldest first.
            is_first: Whether they replace whatever is shown.
            is_older: Whether they go before the lines that are shown.
            more: Whether there are still older lines.
        """
        fields = [
            {"id": line.id, "at": epoch_ms(line.at), "level": line.level, "message": line.message} for line in lines
        ]
        self.run_method("add", fields, {"first": is_first, "older": is_older, "more": more})

    def on_older(self, handler: Callable[[int], object]) -> None:
        """Call `handler` with the id of the line before which older ones are wanted."""

        def asked(event: GenericEventArguments) -> object:
            return handler(event.args) if isinstance(event.args, int) else None

        self.on("older", asked)
