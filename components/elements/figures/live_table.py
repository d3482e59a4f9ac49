"""Table of figures that are updated in place."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from components.presentation.compact_elements import SharedDict
from components.views.computed import TableView
from components.window.live_element import LiveElement
from components.window.window import Window
from services.entities import ConnectionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Column of a table.

    Args:
        key: Field of the rows.
        label: Heading.
        kind: A `number` is aligned right, a `share` from 0 to 1 is a bar, a `status` is a connection status, and a
            `code` is monospaced.
        hint: Tooltip of the heading.
    """

    key: str
    label: str
    kind: Literal["text", "number", "share", "status", "code"] = "text"
    hint: str = ""


class LiveTable(LiveElement, component="live_table.js"):
    """Table that accepts `reset` batches whose fields are the columns' keys.

    Args:
        table: Value of the attribute `data-table`.
        columns: Columns in order.
        label: Accessible name.
        empty_text: Text of an empty table.
    """

    def __init__(self, table: str, columns: Sequence[Column], *, label: str, empty_text: str = "None.") -> None:
        super().__init__()
        self.props["table"] = table
        self.props["columns"] = [asdict(column) for column in columns]
        self.props["label"] = label
        self.props["empty-text"] = empty_text
        self.props["status-styles"] = SharedDict(ConnectionStatus.styles())

    def bind_table(self, window: Window, compute: Callable[[], Mapping[str, Mapping[str, Any]]]) -> None:
        """Show the rows by id that `compute` returns, recomputed at every status change."""
        self.bind(window, TableView(compute), follows_status=True)
