"""Views that are computed as a whole at each refresh: named fields, table rows, one row."""

from collections.abc import Callable, Collection, Mapping
from typing import Any
from uuid import UUID

from components.window.batch import Batch, Missing

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
    """One row, sent as a whole whenever it changes; an empty reset when it is not here.

    Args:
        missing: Returns why the row may exist although it is not here; None while the rows are not known.
        compute: Returns the fields of the row; None when there is no such row.
    """

    def __init__(self, missing: Callable[[], Missing | None], compute: Callable[[], Fields | None]) -> None:
        self._missing = missing
        self._compute = compute

    def full(self) -> Batch | None:
        if (missing := self._missing()) is None:
            return None
        if fields := self._compute():
            return {"reset": {"order": ["row"], "rows": {"row": dict(fields)}}}
        return {"reset": {"order": [], "rows": {}, "missing": missing}}

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        return self.full()
