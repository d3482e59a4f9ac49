"""Edits: what people changed of streams, written by the database alone."""

from typing import Any
from uuid import UUID

from services.entities.base.entity import LiveTable, Scope
from services.entities.base.row import Row, json_field


class Edit(Row, table=True):
    """One changed field of a stream, with its values before and after; `undoes` is the edit that it takes back."""

    __tablename__ = "edits"

    stream_id: UUID
    actor_id: UUID
    actor_name: str
    field: str
    before: Any = json_field(lambda: None)
    after: Any = json_field(lambda: None)
    undoes: UUID | None = None


EDITS = LiveTable(table="edits", model=Edit, scope=Scope.ORG, order="created_at desc", limit=500)
"""The latest edits of the organisation; older ones are read by their stream."""
