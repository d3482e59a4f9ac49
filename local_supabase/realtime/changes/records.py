"""Shows PostgreSQL's text values as JSON, exactly as `to_jsonb` would."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from local_supabase.realtime.changes.pgoutput import Row, Unchanged

_VERBATIM = {"int2", "int4", "int8", "float4", "float8", "numeric", "oid", "json", "jsonb"}
_TEXTS = {"text", "varchar", "bpchar", "uuid", "name", "date", "time", "timetz", "interval", "citext", "inet", "cidr"}
_INFINITE = {"NaN", "Infinity", "-Infinity"}
_SHAPES: dict[str, Callable[[str], object]] = {
    "bool": lambda text: text == "t",
    "bytea": lambda text: text.removeprefix("\\x"),
    "timestamp": lambda text: text.replace(" ", "T", 1),
    "timestamptz": lambda text: text.replace(" ", "T", 1) + (":00" if text[-3:-2] in {"+", "-"} else ""),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedColumn:
    """A column as the catalogue has it: `type` is the short name (`int8`), `sql` what to cast with (`bigint`)."""

    name: str
    type: str
    sql: str


@dataclass(frozen=True, slots=True)
class Foreign:
    """A value that only PostgreSQL can show: an array, a range, a composite, an enum of a domain."""

    sql: str
    text: str


def as_json(text: str, column: TypedColumn) -> str | Foreign:
    """Return JSON text for a value, or what PostgreSQL has to be asked."""
    if column.type in _VERBATIM:
        return text if text not in _INFINITE else json.dumps(text)
    if column.type in _TEXTS:
        return json.dumps(text, ensure_ascii=False)
    if (shape := _SHAPES.get(column.type)) and not text.endswith(" BC"):
        return json.dumps(shape(text))
    return Foreign(column.sql, text)


def as_object(row: Row, columns: Iterable[TypedColumn], known: dict[Foreign, str]) -> str:
    """A JSON object in the order and spacing of jsonb; columns that are not in the row are left out."""
    parts: dict[str, str] = {}
    for column in columns:
        value = row.get(column.name, _MISSING)
        if value is None:
            parts[column.name] = "null"
        elif isinstance(value, str):
            shown = as_json(value, column)
            parts[column.name] = known[shown] if isinstance(shown, Foreign) else shown
    names = sorted(parts, key=lambda name: (len(name.encode()), name.encode()))
    return "{" + ", ".join(f"{json.dumps(name, ensure_ascii=False)}: {parts[name]}" for name in names) + "}"


def foreign_values(row: Row | None, columns: Iterable[TypedColumn]) -> Iterable[Foreign]:
    """What PostgreSQL has to be asked before a row can be shown."""
    for column in columns:
        value: Any = (row or {}).get(column.name)
        if isinstance(value, str) and isinstance(shown := as_json(value, column), Foreign):
            yield shown


def size_of(row: Row) -> int:
    """Bytes of text in a row."""
    return sum(len(value.encode()) for value in row.values() if isinstance(value, str))


_MISSING = Unchanged()
