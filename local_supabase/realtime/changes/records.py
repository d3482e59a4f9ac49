"""Formats PostgreSQL's text values as JSON, identical to `to_jsonb`."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from local_supabase.realtime.changes.pgoutput import Row, Unchanged

_VERBATIM_TYPES = {"int2", "int4", "int8", "float4", "float8", "numeric", "oid", "json", "jsonb"}
_STRING_TYPES = {
    "text", "varchar", "bpchar", "uuid", "name", "date", "time", "timetz", "interval", "citext", "inet", "cidr",
}  # fmt: skip
_NON_FINITE = {"NaN", "Infinity", "-Infinity"}
_CONVERSIONS: dict[str, Callable[[str], object]] = {
    "bool": lambda text: text == "t",
    "bytea": lambda text: text.removeprefix("\\x"),
    "timestamp": lambda text: text.replace(" ", "T", 1),
    "timestamptz": lambda text: text.replace(" ", "T", 1) + (":00" if text[-3:-2] in {"+", "-"} else ""),
}
_MISSING = Unchanged()


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedColumn:
    """Column in the catalog: `type` is the internal name (`int8`), `sql` the name for a cast (`bigint`)."""

    name: str
    type: str
    sql: str


@dataclass(frozen=True, slots=True)
class ServerValue:
    """Value that only PostgreSQL can format, such as an array, a range, a composite or an enum."""

    sql: str
    text: str


def value_json(text: str, column: TypedColumn) -> str | ServerValue:
    """Return a value's JSON text, or the value that PostgreSQL has to format."""
    if column.type in _VERBATIM_TYPES:
        return text if text not in _NON_FINITE else json.dumps(text)
    if column.type in _STRING_TYPES:
        return json.dumps(text, ensure_ascii=False)
    # PostgreSQL writes years before Christ differently in JSON.
    if (convert := _CONVERSIONS.get(column.type)) and not text.endswith(" BC"):
        return json.dumps(convert(text))
    return ServerValue(column.sql, text)


def row_json(row: Row, columns: Iterable[TypedColumn], formatted: dict[ServerValue, str]) -> str:
    """Return a row as a JSON object in the key order and spacing of jsonb.

    Args:
        row: values in PostgreSQL's text format.
        columns: the columns to include; those absent from the row are omitted.
        formatted: JSON text of the row's `server_values`.
    """
    parts: dict[str, str] = {}
    for column in columns:
        value = row.get(column.name, _MISSING)
        if value is None:
            parts[column.name] = "null"
        elif isinstance(value, str):
            json_text = value_json(value, column)
            parts[column.name] = formatted[json_text] if isinstance(json_text, ServerValue) else json_text
    names = sorted(parts, key=lambda name: (len(name.encode()), name.encode()))
    return "{" + ", ".join(f"{json.dumps(name, ensure_ascii=False)}: {parts[name]}" for name in names) + "}"


def server_values(row: Row | None, columns: Iterable[TypedColumn]) -> Iterable[ServerValue]:
    """Yield the values of a row that PostgreSQL has to format."""
    for column in columns:
        value = (row or {}).get(column.name)
        if isinstance(value, str) and isinstance(found := value_json(value, column), ServerValue):
            yield found


def text_bytes(row: Row) -> int:
    """Return the size of a row's values in bytes of text."""
    return sum(len(value.encode()) for value in row.values() if isinstance(value, str))
