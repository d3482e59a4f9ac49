"""Search in the logs of the organisation, with what was found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.elements.logs.run_log import ANSI_JS, LOG_ROWS_JS, LOG_TEXT_JS
from components.presentation.time import epoch_ms
from components.window.live_element import LiveElement
from services.history.log_filter import LEVELS
from services.history.log_search import FoundLine
from services.text import visible_name

DELETED_RUN = "(deleted run)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One answer to a search.

    Args:
        lines: Lines, latest first.
        is_first: Whether they replace all shown lines.
        is_more: Whether there may be more.
        note: How far the search came, if it did not finish.
        problem: Why it failed.
        terms: Texts to highlight; empty for a regular expression.
    """

    lines: Sequence[FoundLine] = ()
    is_first: bool = True
    is_more: bool = False
    note: str = ""
    problem: str = ""
    terms: Sequence[str] = ()


class LogSearch(LiveElement, component="log_search.js", dependencies=[ANSI_JS, LOG_ROWS_JS, LOG_TEXT_JS]):
    """Search, level and range of time, and the lines found, each a link to the line in its run.

    Emits `live` when mounted, `search` with the URL's parameters and whether the user is typing, and `more`.

    Args:
        params: The URL's parameters.
        download: Path of the download, with a query string.
    """

    def __init__(self, *, params: Mapping[str, str], download: str) -> None:
        super().__init__()
        self.props["levels"] = list(LEVELS)
        self.props["params"] = dict(params)
        self.props["download"] = download

    def take(self, params: Mapping[str, str]) -> None:
        """Show the query of the URL."""
        self.run_method("take", dict(params))

    def show(self, outcome: Outcome) -> None:
        """Show what was found."""
        options = {
            "isFirst": outcome.is_first,
            "isMore": outcome.is_more,
            "note": outcome.note,
            "problem": outcome.problem,
            "texts": list(outcome.terms),
        }
        self.run_method("show", [_fields(line) for line in outcome.lines], options)


def _fields(line: FoundLine) -> dict[str, object]:
    return {
        "id": line.id,
        "at": epoch_ms(line.at),
        "level": line.level,
        "message": line.message,
        "hit": list(line.spans) or True,
        "run": DELETED_RUN if line.name is None else visible_name(line.name),
        "href": line.path,
    }
