"""Asks PostgreSQL about tables, rights and rows, on behalf of the subscribers to table changes."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from services.local_supabase.database import Connection
from services.local_supabase.errors import ChangesError
from services.local_supabase.realtime.bindings import EVERYTHING, Binding, Operator
from services.local_supabase.realtime.pgoutput import Row
from services.local_supabase.realtime.records import Foreign, TypedColumn

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


async def tables_by_oid(connection: Connection, oids: Iterable[int], roles: Iterable[str]) -> dict[int, Table]:
    """Describe tables; those that no longer exist are missing."""
    cursor = await connection.execute(
        _DESCRIBE + b" where c.oid = any (%(oids)s::oid[])", {"oids": list(oids), "roles": list(roles)}
    )
    return {row[0]: _table(row) for row in await cursor.fetchall()}


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


async def visible_rows(connection: Connection, table: Table, rows: Sequence[Row], role: str, claims: str) -> set[int]:
    """Positions of those rows that the policies let a user see now, looked up by primary key as that user."""
    columns = {column.name: column.sql for column in table.columns}
    keys = [{"#": index, **{name: row.get(name) for name in table.keys}} for index, row in enumerate(rows)]
    definition = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(columns[name])) for name in table.keys
    )
    condition = sql.SQL(" and ").join(sql.SQL("t.{0} = k.{0}").format(sql.Identifier(name)) for name in table.keys)
    query = sql.SQL(
        'select k."#" from jsonb_to_recordset(%s) as k("#" int, {}) where exists (select from {} t where {})'
    ).format(definition, sql.Identifier(table.schema, table.name), condition)
    async with connection.transaction(force_rollback=True), connection.pipeline():
        await connection.execute(
            "select set_config('request.jwt.claims', %s, true), set_config('role', %s, true)", (claims, role)
        )
        cursor = await connection.execute(query, (json.dumps(keys),))
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
