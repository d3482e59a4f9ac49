"""A table of figures that change in place."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from components.views.computed import TableView
from components.window.live_element import SHARED_JS, LiveElement
from components.window.window import Window
from services.entities import ConnectionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One field of the rows.

    A `number` is aligned right; a `share` from 0 to 1 is a bar; a `status` is a connection status; a `code` is an id or
    the like. `hint` explains the heading.
    """

    key: str
    label: str
    kind: Literal["text", "number", "share", "status", "code"] = "text"
    hint: str = ""


class LiveTable(LiveElement, component="live_table.js", dependencies=[SHARED_JS]):
    """A table with `columns`; takes `reset` batches whose fields are the columns' keys.

    Args:
        table: The `data-table` of its values.
        columns: The columns, in order.
        label: Its accessible name.
        empty_text: Shown without rows.
    """

    def __init__(self, table: str, columns: Sequence[Column], *, label: str, empty_text: str = "None.") -> None:
        super().__init__()
        self.props["table"] = table
        self.props["columns"] = [asdict(column) for column in columns]
        self.props["label"] = label
        self.props["empty-text"] = empty_text
        self.props["status-styles"] = ConnectionStatus.styles()

    def bind_table(self, window: Window, compute: Callable[[], Mapping[str, Mapping[str, Any]]]) -> None:
        """Show the rows by id that `compute` returns, computed again at every change of a status."""
        self.bind(window, TableView(compute), follows_status=True)
