"""Figures in rows and columns that change in place."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal
from uuid import UUID

from nicegui.element import Element

from components.presentation.statuses import status_styles_of
from components.window.batch import Batch
from components.window.scripts import SHARED_JS
from services.entities import ConnectionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A field of the rows. A `number` stands at the right; a `share` (0 to 1) is a bar; a `status` is a connection's;
    a `code` is an id or the like."""

    key: str
    label: str
    kind: Literal["text", "number", "share", "status", "code"] = "text"
    hint: str = ""


class LiveTable(Element, component="live_table.js", dependencies=[SHARED_JS]):
    """A table with `columns`; emits `live` when mounted. Takes `reset` batches; a row's fields are the columns' keys.

    `table` is the `data-table` of its values, `empty_text` stands there when there is no row.
    """

    def __init__(self, table: str, columns: Sequence[Column], *, label: str, empty_text: str = "None.") -> None:
        super().__init__()
        self.props["table"] = table
        self.props["columns"] = [asdict(column) for column in columns]
        self.props["label"] = label
        self.props["empty-text"] = empty_text
        self.props["looks"] = status_styles_of(ConnectionStatus)


class TableView:
    """The rows of a LiveTable by id, computed by `rows` whenever it is shown or refreshed."""

    def __init__(self, rows: Callable[[], Mapping[str, Mapping[str, Any]]]) -> None:
        self._rows = rows

    def full(self) -> Batch | None:
        rows = {id: dict(fields) for id, fields in self._rows().items()}
        return {"reset": {"order": list(rows), "rows": rows}}

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        return None
