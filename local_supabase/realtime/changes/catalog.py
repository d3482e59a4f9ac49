"""Catalog queries for table changes: tables, column privileges, visible rows and value formatting."""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from local_supabase.errors import ChangesError
from local_supabase.postgres.pool import Connection
from local_supabase.realtime.changes.bindings import WILDCARD, Binding, Operator
from local_supabase.realtime.changes.pgoutput import Relation, Row
from local_supabase.realtime.changes.records import ServerValue, TypedColumn
from local_supabase.retry import poll

CACHE_TTL_SECONDS = 2.0
VISIBILITY_TIMEOUT_SECONDS = 10.0
VISIBILITY_POLL_SECONDS = 0.0005

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
            'bypass_rls', r.rolsuper or r.rolbypassrls,
            'columns', (select coalesce(json_agg(a.attname), '[]') from pg_attribute a
                where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                    and has_column_privilege(r.oid, c.oid, a.attnum, 'select')))), '{}')
        from pg_roles r where r.rolname = any (%(roles)s))
from pg_class c join pg_namespace n on n.oid = c.relnamespace
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Privileges:
    """Privileges of a role on a table: readable columns, and exemption from row-level security."""

    bypass_rls: bool
    columns: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Current definition of a table; `privileges` by role."""

    schema: str
    name: str
    row_security: bool
    primary_key: tuple[str, ...]
    columns: tuple[TypedColumn, ...]
    privileges: dict[str, Privileges]

    def readable_columns(self, role: str) -> frozenset[str]:
        """Return the columns that a role may select."""
        privileges = self.privileges.get(role)
        return privileges.columns if privileges else frozenset()


class TableCatalog:
    """Cached table definitions.

    An entry holds until the change stream describes the relation again, as PostgreSQL does after a change of columns,
    keys, policies or grants. It expires after `CACHE_TTL_SECONDS`, because PostgreSQL does not announce other changes,
    such as a role's attributes or a renamed type.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._cache: dict[int, tuple[Relation, frozenset[str], float, Table | None]] = {}

    async def describe(
        self, connection: Connection, relations: Iterable[Relation], roles: frozenset[str]
    ) -> dict[int, Table]:
        """Return the tables of relations by oid, with the privileges of `roles`; dropped tables are missing."""
        wanted = {relation.oid: relation for relation in relations}
        now = self._clock()
        stale = [oid for oid, relation in wanted.items() if not self._is_fresh(relation, roles, now)]
        if stale:
            query = _DESCRIBE + b" where c.oid = any (%(oids)s::oid[])"
            cursor = await connection.execute(query, {"oids": stale, "roles": list(roles)})
            found = {row[0]: _parse_table(row) for row in await cursor.fetchall()}
            self._cache |= {oid: (wanted[oid], roles, now, found.get(oid)) for oid in stale}
        tables = {oid: self._cache[oid][3] for oid in wanted}
        return {oid: table for oid, table in tables.items() if table}

    def _is_fresh(self, relation: Relation, roles: frozenset[str], now: float) -> bool:
        if (cached := self._cache.get(relation.oid)) is None:
            return False
        described, known_roles, described_at, _table = cached
        return described is relation and roles <= known_roles and now - described_at < CACHE_TTL_SECONDS


async def published_tables(connection: Connection, binding: Binding, role: str) -> list[Table]:
    """Return the published tables that a binding matches, with the privileges of `role`."""
    cursor = await connection.execute(
        _DESCRIBE
        + b" join pg_publication_tables p on p.schemaname = n.nspname and p.tablename = c.relname"
        + b" where p.pubname = 'supabase_realtime' and (%(schema)s = '*' or n.nspname = %(schema)s)"
        + b" and (%(table)s = '*' or c.relname = %(table)s)",
        {"schema": binding.schema, "table": binding.table, "roles": [role]},
    )
    return [_parse_table(row) for row in await cursor.fetchall()]


async def check_binding(connection: Connection, binding: Binding, role: str) -> None:
    """Raise ChangesError, with the hosted server's message, if a binding is invalid for a role."""
    tables = await published_tables(connection, binding, role)
    if not tables:
        raise ChangesError(
            "Unable to subscribe to changes with given parameters. Please check Realtime is enabled for the given "
            f"connect parameters: {binding.inspected}"
        )
    try:
        await connection.execute("select %s::regrole", (json.dumps(role),))
        if binding.table != WILDCARD:
            for table in tables:
                await _check_columns(connection, binding, table, role)
    except psycopg.Error as error:
        message = error.diag.message_primary or str(error)
        raise _rejection(binding, f"{error.sqlstate} ({_condition(error)}) {message}") from error


async def visible(connection: Connection, transactions: Collection[int]) -> None:
    """Wait until every new snapshot includes these committed transactions.

    Raises:
        TimeoutError: one was not visible in time, as of a commit that waits for a standby server.
    """
    await poll(
        lambda: _are_visible(connection, transactions), every=VISIBILITY_POLL_SECONDS, within=VISIBILITY_TIMEOUT_SECONDS
    )


async def _are_visible(connection: Connection, transactions: Collection[int]) -> bool:
    """Return whether a new snapshot includes all these committed transactions.

    The change stream follows the log, which is written a moment before a commit becomes visible to other sessions.

    Args:
        connection: any connection.
        transactions: the lower 32 bits of their ids.
    """
    row = await (await connection.execute("select pg_current_snapshot()::text")).fetchone()
    _xmin, upper, running = str(row[0] if row else "0:0:").split(":")
    end = int(upper)
    in_progress = {int(number) for number in running.split(",") if number}
    for transaction in transactions:
        full = (end & ~0xFFFFFFFF) | transaction
        if full > end + (1 << 31):
            full -= 1 << 32
        if full >= end or full in in_progress:
            return False
    return True


async def visible_rows(connection: Connection, table: Table, rows: Sequence[Row], role: str, claims: str) -> set[int]:
    """Return the indexes of the rows that a user can select, looked up by primary key as that user.

    Args:
        connection: a superuser's connection without an open transaction.
        table: a table with a primary key.
        rows: rows in PostgreSQL's text format.
        role: the user's role.
        claims: the user's claims as JSON text.
    """
    columns = {column.name: column.sql for column in table.columns}
    keys = [{"#": index, **{name: row.get(name) for name in table.primary_key}} for index, row in enumerate(rows)]
    definition = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(columns[name])) for name in table.primary_key
    )
    condition = sql.SQL(" and ").join(
        sql.SQL("t.{0} = k.{0}").format(sql.Identifier(name)) for name in table.primary_key
    )
    # One simple query: a round trip costs more than parsing.
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


async def format_values(connection: Connection, values: Iterable[ServerValue]) -> dict[ServerValue, str]:
    """Return the JSON text of values, formatted by PostgreSQL."""
    formatted: dict[ServerValue, str] = {}
    for value in dict.fromkeys(values):
        query = sql.SQL("select to_jsonb(%s::{})::text").format(sql.SQL(value.sql))
        row = await (await connection.execute(query, (value.text,))).fetchone()
        formatted[value] = row[0] if row else "null"
    return formatted


async def compare(
    connection: Connection, value: str, type_sql: str, operator: Operator, operands: Sequence[str]
) -> bool:
    """Return whether a filter accepts a value, compared by PostgreSQL.

    Args:
        connection: any connection.
        value: the column's value in PostgreSQL's text format.
        type_sql: the column's type, to cast both sides to unless the operator is textual.
        operator: the filter's operator.
        operands: the filter's values.
    """
    cast = "text" if operator.is_textual else type_sql
    template = "select %s::{0} = any (%s::{0}[])" if operator is Operator.IN else "select %s::{0} {1} %s::{0}"
    query = sql.SQL(template).format(sql.SQL(cast), sql.SQL(operator.sql))
    operand = list(operands) if operator is Operator.IN else operands[0]
    row = await (await connection.execute(query, (value, operand))).fetchone()
    return bool(row and row[0])


async def _check_columns(connection: Connection, binding: Binding, table: Table, role: str) -> None:
    types = {column.name: column.sql for column in table.columns if column.name in table.readable_columns(role)}
    # A role without privileges may subscribe; each change then carries the error "unauthorized".
    types = types or {column.name: column.sql for column in table.columns}
    for item in binding.filters:
        if item.column not in types:
            raise _rejection(binding, f"P0001 (raise_exception) invalid column for filter {item.column}")
        cast = "text" if item.operator.is_textual else types[item.column]
        for value in item.values if item.operator is not Operator.IS else ():
            await connection.execute(sql.SQL("select %s::{}").format(sql.SQL(cast)), (value,))
        if item.operator in {Operator.MATCH, Operator.IMATCH}:
            await connection.execute("select '' ~ %s", (item.values[0],))
    for name in binding.select or ():
        if name not in types:
            raise _rejection(binding, f"P0001 (raise_exception) invalid column for select {name}")


def _rejection(binding: Binding, exception: str) -> ChangesError:
    return ChangesError(
        "Unable to subscribe to changes with given parameters. An exception happened so please check your connect "
        f"parameters: {binding.inspected}. Exception: ERROR {exception}"
    )


def _condition(error: psycopg.Error) -> str:
    # psycopg's exceptions carry PostgreSQL's condition names in camel case, such as InvalidTextRepresentation.
    name = type(error).__name__
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def _parse_table(row: Sequence[object]) -> Table:
    _oid, row_security, schema, name, primary_key, columns, privileges = row
    assert isinstance(primary_key, list)
    assert isinstance(columns, list)
    assert isinstance(privileges, dict)
    return Table(
        schema=str(schema),
        name=str(name),
        row_security=bool(row_security),
        primary_key=tuple(primary_key),
        columns=tuple(TypedColumn(**column) for column in columns),
        privileges={
            role: Privileges(bypass_rls=found["bypass_rls"], columns=frozenset(found["columns"]))
            for role, found in privileges.items()
        },
    )
