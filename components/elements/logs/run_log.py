"""Log of a run: its latest lines, older lines on demand, and new lines."""

from collections.abc import Callable, Sequence

from nicegui.events import GenericEventArguments

from components.presentation.time import epoch_ms
from components.window.live_element import SHARED_JS, LiveElement
from services.history.run_logs import LogLine


class RunLog(LiveElement, component="run_log.js", dependencies=[SHARED_JS]):
    """Log lines of a run; invisible without lines, unless they could not be read.

    Emits `live` when mounted, and `older` with its first line's id.
    """

    def add(
        self, lines: Sequence[LogLine], *, is_first: bool = False, is_older: bool = False, more: bool = False
    ) -> None:
        """Append lines, or prepend older ones.

        Args:
            lines: The lines, oldest first.
            is_first: Whether they replace all shown lines.
            is_older: Whether they are prepended.
            more: Whether older lines exist.
        """
        fields = [
            {"id": line.id, "at": epoch_ms(line.at), "level": line.level, "message": line.message} for line in lines
        ]
        self.run_method("add", fields, {"first": is_first, "older": is_older, "more": more})

    def fail(self, problem: str) -> None:
        """Say why the lines could not be read; an empty text says that they were."""
        self.run_method("fail", problem)

    def on_older(self, handler: Callable[[int], object]) -> None:
        """Call `handler` with the id of the first shown line when the user requests older lines."""

        def asked(event: GenericEventArguments) -> object:
            return handler(event.args) if isinstance(event.args, int) else None

        self.on("older", asked)
