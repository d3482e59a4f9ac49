"""Bindings of `postgres_changes`: tables, events, filters and columns, with the hosted server's error messages."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from local_supabase.errors import ChangesError
from local_supabase.realtime.changes.pgoutput import Change, Kind
from local_supabase.realtime.protocol.frames import JsonObject
from local_supabase.web.json_text import compact

WILDCARD = "*"
MAX_IN_VALUES = 100
IS_VALUES = {"null": None, "unknown": None, "true": "t", "false": "f"}
MAX_BINDING_ID = (1 << 27) - 1


class Operator(StrEnum):
    """Comparison of a filter."""

    EQ = "eq"
    NEQ = "neq"
    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"
    IN = "in"
    LIKE = "like"
    ILIKE = "ilike"
    MATCH = "match"
    IMATCH = "imatch"
    IS = "is"
    ISDISTINCT = "isdistinct"

    @property
    def sql(self) -> str:
        """The operator in SQL."""
        return _SQL[self]

    @property
    def is_textual(self) -> bool:
        """Whether it compares as text, regardless of the column's type."""
        return self in _TEXTUAL


_TEXTUAL = {Operator.LIKE, Operator.ILIKE, Operator.MATCH, Operator.IMATCH}
_SQL = {
    Operator.EQ: "=", Operator.NEQ: "<>", Operator.LT: "<", Operator.LTE: "<=", Operator.GT: ">",
    Operator.GTE: ">=", Operator.IN: "= any", Operator.LIKE: "~~", Operator.ILIKE: "~~*", Operator.MATCH: "~",
    Operator.IMATCH: "~*", Operator.IS: "is", Operator.ISDISTINCT: "is distinct from",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """`column=operator.value` or `column=not.operator.value`; `values` has one entry, except for `in`."""

    column: str
    operator: Operator
    values: tuple[str, ...]
    text: str
    negated: bool

    @property
    def inspected(self) -> str:
        """Representation in error messages: an Elixir tuple, as the hosted server formats it."""
        parts = ", ".join(_quoted(part) for part in (self.column, self.operator.value, self.text))
        return f"{{{parts}, {'true' if self.negated else 'false'}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One entry of `postgres_changes` in a join; `kind` is None for all events."""

    id: int
    kind: Kind | None
    schema: str
    table: str
    filters: tuple[Filter, ...]
    select: tuple[str, ...] | None
    event: str

    def matches(self, change: Change) -> bool:
        """Return whether table and event match; does not evaluate filters."""
        return (
            self.kind in (None, change.kind)
            and self.table in (WILDCARD, change.relation.table)
            and self.schema in (WILDCARD, change.relation.schema)
        )

    @property
    def inspected(self) -> str:
        """Representation in error messages: an Elixir keyword list, as the hosted server formats it."""
        select = "nil" if self.select is None else "[" + ", ".join(_quoted(name) for name in self.select) + "]"
        filters = ", ".join(item.inspected for item in self.filters)
        return (
            f"[event: {self.event}, schema: {self.schema}, table: {self.table}, filters: [{filters}], select: {select}]"
        )


def with_id(params: JsonObject) -> JsonObject:
    """Return the parameters with the id that the binding's changes carry; equal parameters have equal ids."""
    ordered = dict(sorted(params.items()))
    return {"id": zlib.crc32(compact(ordered).encode()) & MAX_BINDING_ID, **ordered}


def parse(params: JsonObject) -> Binding:
    """Parse the parameters of a binding; raises ChangesError with the hosted server's message."""
    schema, table = params.get("schema"), params.get("table")
    if not isinstance(schema, str) and not isinstance(table, str):
        raise ChangesError(
            "No subscription params provided. Please provide at least a `schema` or `table` to subscribe to: "
            f"{_inspect_map(params)}"
        )
    event = params.get("event")
    select = params.get("select")
    return Binding(
        id=int(with_id(params)["id"]),
        kind=Kind(event) if event in set(Kind) else None,
        event=event if isinstance(event, str) else WILDCARD,
        schema=schema if isinstance(schema, str) else "public",
        table=table if isinstance(table, str) else WILDCARD,
        filters=tuple(_parse_filters(params.get("filter"))),
        select=tuple(map(str, select)) if isinstance(select, list) else None,
    )


def _parse_filters(text: object) -> Iterable[Filter]:
    if text is None:
        return
    if not isinstance(text, str):
        raise ChangesError(f"Error parsing `filter` params: {_inspect(text)}")
    for part in _split(text):
        yield _parse_filter(part)


def _parse_filter(text: str) -> Filter:
    column, equals, rest = text.partition("=")
    if not equals:
        raise ChangesError(f"Error parsing `filter` params: [{_quoted(text)}]")
    negated = rest.startswith("not.")
    name, dot, value = rest.removeprefix("not.").partition(".")
    if not dot or name not in set(Operator):
        parts = [name, value] if dot else [name]
        raise ChangesError(f"Error parsing `filter` params: [{', '.join(map(_quoted, parts))}]")
    operator = Operator(name)
    values: tuple[str, ...] = (value,)
    if operator is Operator.IN:
        if not (value.startswith("(") and value.endswith(")")):
            raise ChangesError("Error parsing `filter` params: `in` filter value must be wrapped by parentheses")
        values = tuple(item.strip().strip('"') for item in value[1:-1].split(",")) if value != "()" else ()
        if len(values) > MAX_IN_VALUES:
            raise ChangesError(
                f"Error parsing `filter` params: too many values for `in` filter. Maximum {MAX_IN_VALUES}"
            )
    if operator is Operator.IS and value not in IS_VALUES:
        raise ChangesError(f"Error parsing `filter` params: [{_quoted(name)}, {_quoted(value)}]")
    return Filter(column=column, operator=operator, values=values, text=value, negated=negated)


def _split(text: str) -> list[str]:
    """Split at commas outside of parentheses."""
    parts: list[str] = []
    depth = start = 0
    for index, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]]


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _inspect(value: object) -> str:
    return _quoted(value) if isinstance(value, str) else compact(value)


def _inspect_map(params: JsonObject) -> str:
    return "%{" + ", ".join(f"{_quoted(name)} => {_inspect(value)}" for name, value in sorted(params.items())) + "}"
