"""What a client asks of `postgres_changes`: tables, events, filters and columns, with the hosted server's errors."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from local_supabase.errors import ChangesError
from local_supabase.http.json_text import compact
from local_supabase.realtime.changes.pgoutput import Change, Kind
from local_supabase.realtime.protocol.frames import JsonObject

EVERYTHING = "*"
LONGEST_LIST = 100
STATES = {"null": None, "unknown": None, "true": "t", "false": "f"}
LARGEST_ID = (1 << 27) - 1


class Operator(StrEnum):
    """How a filter compares a column with a value."""

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
        return _SQL[self]

    @property
    def is_textual(self) -> bool:
        """Whether it compares texts, whatever the column's type."""
        return self in _TEXTUAL


_TEXTUAL = {Operator.LIKE, Operator.ILIKE, Operator.MATCH, Operator.IMATCH}
_SQL = {
    Operator.EQ: "=", Operator.NEQ: "<>", Operator.LT: "<", Operator.LTE: "<=", Operator.GT: ">",
    Operator.GTE: ">=", Operator.IN: "= any", Operator.LIKE: "~~", Operator.ILIKE: "~~*", Operator.MATCH: "~",
    Operator.IMATCH: "~*", Operator.IS: "is", Operator.ISDISTINCT: "is distinct from",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """`column=operator.value`, or `column=not.operator.value`; `values` has one entry but for `in`."""

    column: str
    operator: Operator
    values: tuple[str, ...]
    text: str
    negated: bool

    @property
    def inspected(self) -> str:
        """As the hosted server shows it in error messages (Elixir's notation of a tuple)."""
        parts = ", ".join(_quoted(part) for part in (self.column, self.operator.value, self.text))
        return f"{{{parts}, {'true' if self.negated else 'false'}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One entry of a join's `postgres_changes`; `kind` None means every event."""

    id: int
    kind: Kind | None
    schema: str
    table: str
    filters: tuple[Filter, ...]
    select: tuple[str, ...] | None
    event: str

    def matches(self, change: Change) -> bool:
        """Whether table and event fit; filters are another matter."""
        return (
            self.kind in (None, change.kind)
            and self.table in (EVERYTHING, change.relation.table)
            and self.schema in (EVERYTHING, change.relation.schema)
        )

    @property
    def inspected(self) -> str:
        select = "nil" if self.select is None else "[" + ", ".join(_quoted(name) for name in self.select) + "]"
        filters = ", ".join(item.inspected for item in self.filters)
        return (
            f"[event: {self.event}, schema: {self.schema}, table: {self.table}, filters: [{filters}], select: {select}]"
        )


def numbered(params: JsonObject) -> JsonObject:
    """A binding's parameters with the id under which its changes will arrive; the same parameters, the same id."""
    ordered = dict(sorted(params.items()))
    return {"id": zlib.crc32(compact(ordered).encode()) & LARGEST_ID, **ordered}


def parse(params: JsonObject) -> Binding:
    """Read the parameters of one binding; raises ChangesError with the hosted server's text."""
    schema, table = params.get("schema"), params.get("table")
    if not isinstance(schema, str) and not isinstance(table, str):
        raise ChangesError(
            "No subscription params provided. Please provide at least a `schema` or `table` to subscribe to: "
            f"{_inspect_map(params)}"
        )
    event = params.get("event")
    select = params.get("select")
    return Binding(
        id=int(numbered(params)["id"]),
        kind=Kind(event) if event in set(Kind) else None,
        event=event if isinstance(event, str) else EVERYTHING,
        schema=schema if isinstance(schema, str) else "public",
        table=table if isinstance(table, str) else EVERYTHING,
        filters=tuple(_filters(params.get("filter"))),
        select=tuple(map(str, select)) if isinstance(select, list) else None,
    )


def _filters(text: object) -> Iterable[Filter]:
    if text is None:
        return
    if not isinstance(text, str):
        raise ChangesError(f"Error parsing `filter` params: {_inspect(text)}")
    for part in _split(text):
        yield _filter(part)


def _filter(text: str) -> Filter:
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
        if len(values) > LONGEST_LIST:
            raise ChangesError(
                f"Error parsing `filter` params: too many values for `in` filter. Maximum {LONGEST_LIST}"
            )
    if operator is Operator.IS and value not in STATES:
        raise ChangesError(f"Error parsing `filter` params: [{_quoted(name)}, {_quoted(value)}]")
    return Filter(column=column, operator=operator, values=values, text=value, negated=negated)


def _split(text: str) -> list[str]:
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
