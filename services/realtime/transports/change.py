"""Decoded events of monitored tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID


class Operation(StrEnum):
    """The kind of change."""

    INSERT = "INSERT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of a row.

    `record` is the new state as `to_jsonb` renders it, None for a deleted row. `version` is that of the new state, or
    of the last state of a deleted row; 0 where the transport does not have it.
    """

    table: str
    operation: Operation
    id: UUID
    version: int
    record: Mapping[str, Any] | None


def row_change(table: str, record: Mapping[str, Any]) -> Change:
    """Return the change to a row as the database renders it now."""
    return Change(
        table=table,
        operation=Operation.UPDATE,
        id=UUID(record["id"]),
        version=int(record["version"]),
        record=record,
    )


def decode_change(payload: Mapping[str, Any]) -> Change:
    """Decode the payload of `realtime.broadcast_changes`.

    Source: https://supabase.com/docs/guides/realtime/broadcast (keys schema, table, operation, record, old_record).

    Raises:
        ValueError: The payload lacks something, or something is malformed; the message names it.
    """
    try:
        operation = Operation(payload["operation"])
        table = payload["table"]
        gone = operation is Operation.DELETE
        row = payload["old_record" if gone else "record"]
        if not isinstance(table, str) or not isinstance(row, Mapping):
            raise ValueError(f"table is {type(table).__name__}, its row {type(row).__name__}")
        return Change(
            table=table,
            operation=operation,
            id=UUID(row["id"]),
            version=int(row.get("version") or 0),
            record=None if gone else row,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the change lacks {error}") from error
