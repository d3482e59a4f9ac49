"""Views that are computed as a whole at each refresh: named fields, table rows, one row."""

from collections.abc import Callable, Collection, Mapping
from typing import Any
from uuid import UUID

from components.window.batch import Batch

Fields = Mapping[str, Any]


class FieldsView:
    """Fields by key, from `compute`."""

    def __init__(self, compute: Callable[[], Mapping[str, Fields]]) -> None:
        self._compute = compute

    def full(self) -> Batch | None:
        return {"set": {key: dict(fields) for key, fields in self._compute().items()}}

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        return None


class TableView:
    """Rows of a table by id in their order, from `compute`."""

    def __init__(self, compute: Callable[[], Mapping[str, Fields]]) -> None:
        self._compute = compute

    def full(self) -> Batch | None:
        rows = {id: dict(fields) for id, fields in self._compute().items()}
        return {"reset": {"order": list(rows), "rows": rows}}

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        return None


class OneRowView:
    """One row, sent as a whole whenever it changes; an empty reset when there is no such row.

    Args:
        is_loaded: Whether the rows are known.
        compute: Returns the fields of the row; None when there is no such row.
    """

    def __init__(self, is_loaded: Callable[[], bool], compute: Callable[[], Fields | None]) -> None:
        self._is_loaded = is_loaded
        self._compute = compute

    def full(self) -> Batch | None:
        if not self._is_loaded():
            return None
        fields = self._compute()
        return {"reset": {"order": ["row"], "rows": {"row": dict(fields)}} if fields else {"order": [], "rows": {}}}

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        return self.full()
