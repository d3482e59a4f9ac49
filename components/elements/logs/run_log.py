"""Log of a run: a virtual list of its lines, with search, levels, and links to lines."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from nicegui.events import GenericEventArguments

from components.elements import COPYING_JS, KEPT_JS
from components.presentation.time import epoch_ms
from components.window.live_element import LiveElement
from services.history.log_filter import LEVELS
from services.history.run_logs import LogLine

HERE = Path(__file__).parent
ANSI_JS, LOG_ROWS_JS, LOG_TEXT_JS = (HERE / f"{name}.js" for name in ("ansi", "log_rows", "log_text"))
Mode = Literal["reset", "append", "prepend"]
Marks = Sequence[tuple[int, Sequence[int]]]
Handler = Callable[[Any], Awaitable[object] | object]


class RunLog(
    LiveElement,
    component="run_log.js",
    dependencies=[KEPT_JS, COPYING_JS, ANSI_JS, LOG_ROWS_JS, LOG_TEXT_JS, HERE / "virtual_rows.js"],
):
    """Log lines of a run; invisible without lines, unless they could not be read or nothing matches.

    The document has the lines in sight only. Emits `live` when mounted, and `taken` for lines that were appended.

    Args:
        download: Path of the download of the whole log, with a query string.
    """

    def __init__(self, *, download: str) -> None:
        super().__init__()
        self.props["download"] = download
        self.props["levels"] = list(LEVELS)

    def show(
        self,
        lines: Sequence[LogLine],
        mode: Mode,
        *,
        more: bool = False,
        is_end: bool = True,
        target: int | None = None,
        is_cut: bool = False,
    ) -> None:
        """Show lines.

        Args:
            lines: The lines, oldest first.
            mode: Whether they replace all shown lines, follow them or precede them.
            more: Whether older lines exist.
            is_end: Whether no later lines exist.
            target: Id of the line to lead to.
            is_cut: Whether lines before them are missing.
        """
        options = {"mode": mode, "more": more, "isEnd": is_end, "target": target, "isCut": is_cut}
        self.run_method("show", [_fields(line) for line in lines], options)

    def found(self, marks: Marks | None, terms: Sequence[str], *, leads: bool = True) -> None:
        """Mark the lines that were found: their ids, and the spans of a regular expression or the terms of a text.

        Args:
            marks: Id and spans of each line, oldest first; None if the search failed.
            terms: Texts to highlight; empty for a regular expression.
            leads: Whether to lead to the last of them.
        """
        ids = None if marks is None else [id for id, _ in marks]
        spans = None if terms else [list(spans) for _, spans in marks or []]
        self.run_method("found", ids, spans, list(terms), leads)

    def select(self, id: int | None) -> None:
        """Highlight the line of the URL."""
        self.run_method("select", id or 0)

    def fail(self, problem: str) -> None:
        """Say why lines cannot be read; an empty text says that they can."""
        self.run_method("fail", problem)

    def refuse(self, problem: str) -> None:
        """Say why what the user asked for was not done; an empty text takes it back."""
        self.run_method("refuse", problem)

    def on_id(self, name: str, handler: Callable[[int], object]) -> None:
        """Call `handler` with the line's id of an event `older`, `newer`, `go` or `line`; 0 stands for none."""

        def asked(event: GenericEventArguments) -> object:
            is_id = isinstance(event.args, int) and 0 <= event.args < 2**63
            return handler(event.args) if is_id else None

        self.on(name, asked)

    def on_jump(self, handler: Callable[[datetime], object]) -> None:
        """Call `handler` with a time that the user wants to see."""

        def asked(event: GenericEventArguments) -> object:
            try:
                return handler(datetime.fromtimestamp(float(event.args) / 1000, UTC))
            except (TypeError, ValueError, OverflowError, OSError):
                return None

        self.on("jump", asked)

    def on_search(self, handler: Callable[[Mapping[str, Any]], object]) -> None:
        """Call `handler` with the query: `q`, `regex`, `only` and `level`."""

        def asked(event: GenericEventArguments) -> object:
            return handler(event.args) if isinstance(event.args, dict) else None

        self.on("search", asked)


def _fields(line: LogLine) -> list[Any]:
    fields = [line.id, epoch_ms(line.at), line.level, line.message]
    return [*fields, list(line.spans) or True] if line.is_match else fields
