"""Asks PostgreSQL about tables, rights and rows, on behalf of the subscribers to table changes."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from local_supabase.errors import ChangesError
from local_supabase.postgres.pool import Connection
from local_supabase.realtime.changes.bindings import EVERYTHING, Binding, Operator
from local_supabase.realtime.changes.pgoutput import Relation, Row
from local_supabase.realtime.changes.records import Foreign, TypedColumn

KEPT = 2.0

_DESCRIBE = b"""
select c.oid::int8, c.relrowsecurity, n.nspname, c.relname,
    (select coalesce(array_agg(a.attname::text order by a.attnum), '{}') from pg_index i
        join pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
        where i.indrelid = c.oid and i.indisprimary),
    (select json_agg(json_build_object(
            'name', a.attname, 'type', t.typname, 'sql', format_type(a.atttypid, a.atttypmod)) order by a.attnum)
        from pg_attribute a join pg_type t on t.oid = a.atttypid
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
    (select coalesce(json_object_agg(r.rolname, json_build_object(
            'bypass', r.rolsuper or r.rolbypassrls,
            'columns', (select coalesce(json_agg(a.attname), '[]') from pg_attribute a
                where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                    and has_column_privilege(r.oid, c.oid, a.attnum, 'select')))), '{}')
        from pg_roles r where r.rolname = any (%(roles)s))
from pg_class c join pg_namespace n on n.oid = c.relnamespace
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What a role may read of a table."""

    bypass: bool
    columns: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as it is now."""

    schema: str
    name: str
    secured: bool
    keys: tuple[str, ...]
    columns: tuple[TypedColumn, ...]
    rights: dict[str, Rights]

    def readable(self, role: str) -> frozenset[str]:
        rights = self.rights.get(role)
        return rights.columns if rights else frozenset()


class Tables:
    """Descriptions of tables, kept while they hold.

    PostgreSQL describes a relation anew in the change stream after its columns, keys, policies or grants changed;
    what it does not announce (a role's attributes, a renamed type) is noticed within seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[int, tuple[Relation, frozenset[str], float, Table | None]] = {}

    async def describe(
        self, connection: Connection, relations: Iterable[Relation], roles: frozenset[str]
    ) -> dict[int, Table]:
        """The tables of relations with the rights of roles; those that no longer exist are missing."""
        wanted = {relation.oid: relation for relation in relations}
        now = self._clock()
        stale = [oid for oid, relation in wanted.items() if not self._holds(relation, roles, now)]
        if stale:
            query = _DESCRIBE + b" where c.oid = any (%(oids)s::oid[])"
            cursor = await connection.execute(query, {"oids": stale, "roles": list(roles)})
            found = {row[0]: _table(row) for row in await cursor.fetchall()}
            self._known |= {oid: (wanted[oid], roles, now, found.get(oid)) for oid in stale}
        tables = {oid: self._known[oid][3] for oid in wanted}
        return {oid: table for oid, table in tables.items() if table}

    def _holds(self, relation: Relation, roles: frozenset[str], now: float) -> bool:
        known = self._known.get(relation.oid)
        return known is not None and known[0] is relation and roles <= known[1] and now - known[2] < KEPT


async def published(connection: Connection, binding: Binding, role: str) -> list[Table]:
    """The tables of the publication that a binding means."""
    cursor = await connection.execute(
        _DESCRIBE
        + b" join pg_publication_tables p on p.schemaname = n.nspname and p.tablename = c.relname"
        + b" where p.pubname = 'supabase_realtime' and (%(schema)s = '*' or n.nspname = %(schema)s)"
        + b" and (%(table)s = '*' or c.relname = %(table)s)",
        {"schema": binding.schema, "table": binding.table, "roles": [role]},
    )
    return [_table(row) for row in await cursor.fetchall()]


async def check(connection: Connection, binding: Binding, role: str) -> None:
    """Raise ChangesError, in the hosted server's words, when a binding cannot be served to a role."""
    tables = await published(connection, binding, role)
    if not tables:
        raise ChangesError(
            "Unable to subscribe to changes with given parameters. Please check Realtime is enabled for the given "
            f"connect parameters: {binding.inspected}"
        )
    try:
        await connection.execute("select %s::regrole", (json.dumps(role),))
        if binding.table != EVERYTHING:
            for table in tables:
                await _check_columns(connection, binding, table, role)
    except psycopg.Error as error:
        message = error.diag.message_primary or str(error)
        raise _refusal(binding, f"{error.sqlstate} ({_condition(error)}) {message}") from error


async def all_visible(connection: Connection, transactions: Iterable[int]) -> bool:
    """Whether the effects of committed transactions can be seen already.

    The change stream follows the log, which is written a moment before a commit shows to others.
    """
    row = await (await connection.execute("select pg_current_snapshot()::text")).fetchone()
    _xmin, upper, running = str(row[0] if row else "0:0:").split(":")
    end = int(upper)
    open_ones = {int(number) for number in running.split(",") if number}
    for transaction in transactions:
        full = (end & ~0xFFFFFFFF) | transaction
        if full > end + (1 << 31):
            full -= 1 << 32
        if full >= end or full in open_ones:
            return False
    return True


async def visible_rows(connection: Connection, table: Table, rows: Sequence[Row], role: str, claims: str) -> set[int]:
    """Positions of those rows that the policies let a user see now, looked up by primary key as that user."""
    columns = {column.name: column.sql for column in table.columns}
    keys = [{"#": index, **{name: row.get(name) for name in table.keys}} for index, row in enumerate(rows)]
    definition = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(columns[name])) for name in table.keys
    )
    condition = sql.SQL(" and ").join(sql.SQL("t.{0} = k.{0}").format(sql.Identifier(name)) for name in table.keys)
    # All in one message: a round trip costs more than parsing.
    cursor = await connection.execute(
        sql.SQL(
            "begin; select set_config('request.jwt.claims', {claims}, true), set_config('role', {role}, true);"
            ' select k."#" from jsonb_to_recordset({keys}) as k("#" int, {definition})'
            " where exists (select from {table} t where {condition}); rollback"
        ).format(
            claims=sql.Literal(claims),
            role=sql.Literal(role),
            keys=sql.Literal(json.dumps(keys)),
            definition=definition,
            table=sql.Identifier(table.schema, table.name),
            condition=condition,
        )
    )
    cursor.nextset()
    cursor.nextset()
    return {row[0] for row in await cursor.fetchall()}


async def shown(connection: Connection, values: Iterable[Foreign]) -> dict[Foreign, str]:
    """Let PostgreSQL show values as JSON."""
    known: dict[Foreign, str] = {}
    for value in dict.fromkeys(values):
        query = sql.SQL("select to_jsonb(%s::{})::text").format(sql.SQL(value.sql))
        row = await (await connection.execute(query, (value.text,))).fetchone()
        known[value] = row[0] if row else "null"
    return known


async def compares(
    connection: Connection, value: str, type_sql: str, operator: Operator, operands: Sequence[str]
) -> bool:
    """Let PostgreSQL compare a value with the operand of a filter, both cast to the column's type."""
    cast = "text" if operator.is_textual else type_sql
    template = "select %s::{0} = any (%s::{0}[])" if operator is Operator.IN else "select %s::{0} {1} %s::{0}"
    query = sql.SQL(template).format(sql.SQL(cast), sql.SQL(operator.sql))
    operand = list(operands) if operator is Operator.IN else operands[0]
    row = await (await connection.execute(query, (value, operand))).fetchone()
    return bool(row and row[0])


async def _check_columns(connection: Connection, binding: Binding, table: Table, role: str) -> None:
    types = {column.name: column.sql for column in table.columns if column.name in table.readable(role)}
    # A role without any right on the table may subscribe: every change then tells it that it is unauthorised.
    types = types or {column.name: column.sql for column in table.columns}
    for item in binding.filters:
        if item.column not in types:
            raise _refusal(binding, f"P0001 (raise_exception) invalid column for filter {item.column}")
        cast = "text" if item.operator.is_textual else types[item.column]
        for value in item.values if item.operator is not Operator.IS else ():
            await connection.execute(sql.SQL("select %s::{}").format(sql.SQL(cast)), (value,))
        if item.operator in {Operator.MATCH, Operator.IMATCH}:
            await connection.execute("select '' ~ %s", (item.values[0],))
    for name in binding.select or ():
        if name not in types:
            raise _refusal(binding, f"P0001 (raise_exception) invalid column for select {name}")


def _refusal(binding: Binding, exception: str) -> ChangesError:
    return ChangesError(
        "Unable to subscribe to changes with given parameters. An exception happened so please check your connect "
        f"parameters: {binding.inspected}. Exception: ERROR {exception}"
    )


def _condition(error: psycopg.Error) -> str:
    # psycopg names its exceptions after PostgreSQL's conditions: InvalidTextRepresentation.
    name = type(error).__name__
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def _table(row: Sequence[object]) -> Table:
    _oid, secured, schema, name, keys, columns, rights = row
    assert isinstance(keys, list)
    assert isinstance(columns, list)
    assert isinstance(rights, dict)
    return Table(
        schema=str(schema),
        name=str(name),
        secured=bool(secured),
        keys=tuple(keys),
        columns=tuple(TypedColumn(**column) for column in columns),
        rights={
            role: Rights(bypass=found["bypass"], columns=frozenset(found["columns"])) for role, found in rights.items()
        },
    )
