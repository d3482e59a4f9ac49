"""Delivers a batch of changes: evaluates filters, policies and privileges, then sends the frames in order."""

import contextlib
import json
import operator as operators
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal, InvalidOperation
from typing import Any

import psycopg
import structlog

from local_supabase.postgres.pool import Connection
from local_supabase.realtime.changes import catalog
from local_supabase.realtime.changes.bindings import IS_VALUES, Binding, Filter, Operator
from local_supabase.realtime.changes.catalog import Table, TableCatalog
from local_supabase.realtime.changes.pgoutput import Change, Kind, Row, Unchanged
from local_supabase.realtime.changes.records import ServerValue, TypedColumn, row_json, server_values, text_bytes
from local_supabase.realtime.changes.subscription import Subscription
from local_supabase.realtime.protocol.frames import Outgoing
from local_supabase.web.json_text import compact

log = structlog.get_logger()

MAX_RECORD_BYTES = 1024 * 1024
MAX_VALUE_BYTES_IN_LARGE_RECORD = 64
TOO_LARGE = "Error 413: Payload Too Large"
UNAUTHORIZED = "Error 401: Unauthorized"
NO_PRIMARY_KEY = "Error 400: Bad Request, no primary key"

_NUMERIC_TYPES = {"int2", "int4", "int8", "float4", "float8", "numeric", "oid"}
_TEXT_TYPES = {"text", "varchar", "uuid", "name"}
_COMPARISONS: dict[Operator, Callable[[Any, Any], bool]] = {
    Operator.EQ: operators.eq,
    Operator.NEQ: operators.ne,
    Operator.LT: operators.lt,
    Operator.LTE: operators.le,
    Operator.GT: operators.gt,
    Operator.GTE: operators.ge,
}


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A change, by its index in the batch, with the bindings of a subscription that match it."""

    index: int
    subscription: Subscription
    bindings: list[Binding]


class Delivery:
    """One batch; evaluates policies once per user and table, not once per row and subscriber."""

    def __init__(
        self, connection: Connection, table_catalog: TableCatalog, subscriptions: Sequence[Subscription]
    ) -> None:
        self._connection = connection
        self._catalog = table_catalog
        self._subscriptions = subscriptions
        self._tables: dict[int, Table] = {}
        self._visible: dict[tuple[str, int], bool] = {}
        self._formatted: dict[ServerValue, str] = {}
        self._encoded: dict[tuple[int, frozenset[str], tuple[str, ...] | None, str | None], str] = {}

    async def deliver(self, changes: Sequence[Change]) -> None:
        """Send each change, visible by now, to its subscribers; raises psycopg.Error before anything is sent."""
        matched = [
            _Candidate(index, subscription, bindings)
            for index, change in enumerate(changes)
            for subscription in self._subscriptions
            if (bindings := [binding for binding in subscription.bindings if binding.matches(change)])
        ]
        if not matched:
            return
        roles = frozenset(candidate.subscription.role for candidate in matched)
        relations = [changes[candidate.index].relation for candidate in matched]
        self._tables = await self._catalog.describe(self._connection, relations, roles)
        accepted = []
        for candidate in matched:
            change = changes[candidate.index]
            if table := self._tables.get(change.relation.oid):
                bindings = [binding for binding in candidate.bindings if await self._accepts(binding, change, table)]
                if bindings:
                    accepted.append(_Candidate(candidate.index, candidate.subscription, bindings))
        await self._evaluate_policies(changes, accepted)
        await self._format_server_values(changes, {candidate.index for candidate in accepted})
        for candidate in accepted:
            self._send(candidate, changes[candidate.index])

    async def _accepts(self, binding: Binding, change: Change, table: Table) -> bool:
        row = change.new if change.new is not None else change.old or {}
        columns = {column.name: column for column in table.columns}
        for item in binding.filters:
            if item.column not in row or item.column not in columns:
                return False
            value = row[item.column]
            if isinstance(value, Unchanged):
                return False
            if item.operator is Operator.IS:
                accepted = value == IS_VALUES[item.text]
            elif value is None:
                if item.operator is not Operator.ISDISTINCT:
                    return False
                accepted = True
            else:
                accepted = await self._compare(value, columns[item.column], item)
            if accepted == item.negated:
                return False
        return True

    async def _compare(self, value: str, column: TypedColumn, item: Filter) -> bool:
        if compare := _COMPARISONS.get(item.operator):
            if column.type in _TEXT_TYPES:
                operand = item.values[0].lower() if column.type == "uuid" else item.values[0]
                return compare(value, operand)
            if column.type in _NUMERIC_TYPES:
                with contextlib.suppress(InvalidOperation):
                    return compare(Decimal(value), Decimal(item.values[0]))
        if value in item.values and item.operator is Operator.IN:
            return True
        return await catalog.compare(self._connection, value, column.sql, item.operator, item.values)

    async def _evaluate_policies(self, changes: Sequence[Change], candidates: Sequence[_Candidate]) -> None:
        lookups: dict[tuple[str, str, int], dict[int, None]] = defaultdict(dict)
        for candidate in candidates:
            subscription, change = candidate.subscription, changes[candidate.index]
            table = self._tables[change.relation.oid]
            privileges = table.privileges.get(subscription.role)
            is_guarded = table.row_security and privileges is not None and not privileges.bypass_rls
            if is_guarded and table.primary_key and change.kind is not Kind.DELETE:
                lookups[subscription.role, subscription.claims, change.relation.oid][candidate.index] = None
        for (role, claims, oid), indexes in lookups.items():
            rows = [changes[index].new or {} for index in indexes]
            visible = await self._visible_rows(self._tables[oid], rows, role, claims)
            for position, index in enumerate(indexes):
                self._visible[claims, index] = position in visible

    async def _visible_rows(self, table: Table, rows: Sequence[Row], role: str, claims: str) -> set[int]:
        try:
            return await catalog.visible_rows(self._connection, table, rows, role, claims)
        except psycopg.Error as error:
            if isinstance(error, psycopg.OperationalError) and not isinstance(error, psycopg.errors.QueryCanceled):
                raise
            # A policy that fails or times out grants nothing.
            log.warning("policy could not be evaluated", table=table.name, error=str(error).strip())
            return set()

    async def _format_server_values(self, changes: Sequence[Change], indexes: set[int]) -> None:
        values = [
            value
            for index in indexes
            for row in (changes[index].new, changes[index].old)
            for value in server_values(row, self._tables[changes[index].relation.oid].columns)
        ]
        if values:
            self._formatted = await catalog.format_values(self._connection, values)

    def _send(self, candidate: _Candidate, change: Change) -> None:
        index, subscription = candidate.index, candidate.subscription
        table = self._tables[change.relation.oid]
        readable = table.readable_columns(subscription.role)
        problem = None
        if not readable or not readable >= set(table.primary_key):
            problem = UNAUTHORIZED
        elif table.row_security and not table.primary_key and not table.privileges[subscription.role].bypass_rls:
            problem = NO_PRIMARY_KEY
        elif not self._visible.get((subscription.claims, index), True):
            return
        for select in {binding.select for binding in candidate.bindings}:
            ids = [binding.id for binding in reversed(candidate.bindings) if binding.select == select]
            key = (index, readable, select, problem)
            if (data := self._encoded.get(key)) is None:
                data = self._encoded[key] = self._encode(change, table, readable, select, problem)
            payload = f'{{"data":{data},"ids":{compact(ids)}}}'
            subscription.send(Outgoing(subscription.topic, "postgres_changes", payload))

    def _encode(
        self,
        change: Change,
        table: Table,
        readable: frozenset[str],
        select: tuple[str, ...] | None,
        problem: str | None,
    ) -> str:
        """Return the JSON text of `data` in the hosted server's key order."""
        head = f'{{"table":{compact(table.name)},"type":"{change.kind}"'
        tail = f'"schema":{compact(table.schema)}'
        if problem:
            record = "" if change.kind is Kind.DELETE else '"record":{},'
            return f'{head},{record}"columns":[],"errors":{compact([problem])},{tail},"commit_timestamp":null}}'
        columns = [
            column for column in table.columns
            if column.name in readable and (select is None or column.name in select)
        ]  # fmt: skip
        new, old = change.new, _old_record(change, table)
        errors = "null"
        if text_bytes(new or {}) + text_bytes(old or {}) > MAX_RECORD_BYTES:
            errors = compact([TOO_LARGE])
            new, old = (_small_values(row) for row in (new, old))
        parts = [head]
        if new is not None:
            parts.append(f'"record":{row_json(new, columns, self._formatted)}')
        types = ", ".join(json.dumps({"name": column.name, "type": column.type}) for column in columns)
        parts.append(f'"columns":[{types}],"errors":{errors},{tail}')
        time = change.committed_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        parts.append(f'"commit_timestamp":"{time}"')
        if old is not None:
            parts.append(f'"old_record":{row_json(old, columns, self._formatted)}')
        return ",".join(parts) + "}"


def _old_record(change: Change, table: Table) -> Row | None:
    """Return the replica identity before the change; for a delete under row-level security, only the primary key."""
    if change.kind is Kind.INSERT:
        return None
    old = change.old
    if old is None:
        # PostgreSQL sends the old key only if it changed.
        return {name: (change.new or {}).get(name) for name in table.primary_key}
    if change.kind is Kind.DELETE and table.row_security:
        return {name: value for name, value in old.items() if name in table.primary_key}
    return old


def _small_values(row: Row | None) -> Row | None:
    if row is None:
        return None
    limit = MAX_VALUE_BYTES_IN_LARGE_RECORD
    return {name: value for name, value in row.items() if not isinstance(value, str) or len(value.encode()) <= limit}
