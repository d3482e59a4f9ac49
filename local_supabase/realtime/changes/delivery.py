"""Hands a batch of changes to subscribers: filters, policies and rights first, then the frames, in order."""

import asyncio
import contextlib
import json
import operator as operator_module
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import psycopg
import structlog

from local_supabase.http.json_text import compact
from local_supabase.postgres.pool import Connection
from local_supabase.realtime.changes import catalog
from local_supabase.realtime.changes.bindings import STATES, Binding, Filter, Operator
from local_supabase.realtime.changes.catalog import Table
from local_supabase.realtime.changes.pgoutput import Change, Kind, Row, Unchanged
from local_supabase.realtime.changes.records import Foreign, TypedColumn, as_object, foreign_values, size_of
from local_supabase.realtime.protocol.frames import Outgoing

if TYPE_CHECKING:
    from local_supabase.realtime.changes.table_changes import Subscription

log = structlog.get_logger()

VISIBLE_TIMEOUT = 10.0
LARGEST_RECORD = 1024 * 1024
LARGEST_VALUE_OF_A_LARGE_RECORD = 64
TOO_LARGE = "Error 413: Payload Too Large"
UNAUTHORIZED = "Error 401: Unauthorized"
NO_KEY = "Error 400: Bad Request, no primary key"

_NUMBERS = {"int2", "int4", "int8", "float4", "float8", "numeric", "oid"}
_TEXTS = {"text", "varchar", "uuid", "name"}


class Delivery:
    """One batch; policies are asked once per user and table, not once per row and subscriber."""

    def __init__(
        self, connection: Connection, catalog_tables: catalog.Tables, subscriptions: Sequence["Subscription"]
    ) -> None:
        self._catalog = catalog_tables
        self._connection = connection
        self._subscriptions = subscriptions
        self._tables: dict[int, Table] = {}
        self._visible: dict[tuple[str, int], bool] = {}
        self._known: dict[Foreign, str] = {}
        self._shown: dict[tuple[int, frozenset[str], tuple[str, ...] | None, str | None], str] = {}

    async def deliver(self, changes: Sequence[Change]) -> None:
        """Send each change to those it concerns; raises psycopg.Error before anything is sent."""
        wanted = [
            (index, subscription, bindings)
            for index, change in enumerate(changes)
            for subscription in self._subscriptions
            if (bindings := [binding for binding in subscription.bindings if binding.matches(change)])
        ]
        if not wanted:
            return
        roles = frozenset(subscription.role for _index, subscription, _bindings in wanted)
        relations = [changes[index].relation for index, _subscription, _bindings in wanted]
        self._tables = await self._catalog.describe(self._connection, relations, roles)
        filtered = []
        for index, subscription, bindings in wanted:
            change = changes[index]
            if table := self._tables.get(change.relation.oid):
                passing = [binding for binding in bindings if await self._passes(binding, change, table)]
                if passing:
                    filtered.append((index, subscription, passing))
        await self._check_policies(changes, filtered)
        await self._ask_for_foreign_values(changes, {index for index, _subscription, _bindings in filtered})
        for index, subscription, bindings in filtered:
            self._send(index, changes[index], subscription, bindings)

    async def _passes(self, binding: Binding, change: Change, table: Table) -> bool:
        row = change.new if change.new is not None else change.old or {}
        types = {column.name: column for column in table.columns}
        for item in binding.filters:
            if item.column not in row or item.column not in types:
                return False
            value = row[item.column]
            if isinstance(value, Unchanged):
                return False
            if item.operator is Operator.IS:
                found = value == STATES[item.text]
            elif value is None:
                if item.operator is not Operator.ISDISTINCT:
                    return False
                found = True
            else:
                found = await self._compares(value, types[item.column], item)
            if found == item.negated:
                return False
        return True

    async def _compares(self, value: str, column: TypedColumn, item: Filter) -> bool:
        if compare := _COMPARISONS.get(item.operator):
            if column.type in _TEXTS:
                operand = item.values[0].lower() if column.type == "uuid" else item.values[0]
                return compare(value, operand)
            if column.type in _NUMBERS:
                with contextlib.suppress(InvalidOperation):
                    return compare(Decimal(value), Decimal(item.values[0]))
        if value in item.values and item.operator is Operator.IN:
            return True
        return await catalog.compares(self._connection, value, column.sql, item.operator, item.values)

    async def _check_policies(
        self, changes: Sequence[Change], wanted: "Sequence[tuple[int, Subscription, list[Binding]]]"
    ) -> None:
        questions: dict[tuple[str, str, int], dict[int, None]] = defaultdict(dict)
        for index, subscription, _bindings in wanted:
            change = changes[index]
            table = self._tables[change.relation.oid]
            rights = table.rights.get(subscription.role)
            if table.secured and table.keys and rights and not rights.bypass and change.kind is not Kind.DELETE:
                questions[subscription.role, subscription.claims, change.relation.oid][index] = None
        if questions:
            await self._until_visible({change.transaction for change in changes})
        for (role, claims, oid), found in questions.items():
            indexes = list(found)
            rows = [changes[index].new or {} for index in indexes]
            try:
                seen = await catalog.visible_rows(self._connection, self._tables[oid], rows, role, claims)
            except psycopg.Error as error:
                if isinstance(error, psycopg.OperationalError) and not isinstance(error, psycopg.errors.QueryCanceled):
                    raise
                # A policy that fails, or takes too long, lets nobody see.
                log.warning("a policy could not be evaluated", table=self._tables[oid].name, error=str(error).strip())
                seen = set()
            for position, index in enumerate(indexes):
                self._visible[claims, index] = position in seen

    async def _until_visible(self, transactions: set[int]) -> None:
        async with asyncio.timeout(VISIBLE_TIMEOUT):
            while not await catalog.all_visible(self._connection, transactions):  # noqa: ASYNC110 - PostgreSQL's
                await asyncio.sleep(0.0005)

    async def _ask_for_foreign_values(self, changes: Sequence[Change], indexes: set[int]) -> None:
        values = [
            value
            for index in indexes
            for row in (changes[index].new, changes[index].old)
            for value in foreign_values(row, self._tables[changes[index].relation.oid].columns)
        ]
        if values:
            self._known = await catalog.shown(self._connection, values)

    def _send(self, index: int, change: Change, subscription: "Subscription", bindings: list[Binding]) -> None:
        table = self._tables[change.relation.oid]
        readable = table.readable(subscription.role)
        problem = None
        if not readable or not readable >= set(table.keys):
            problem = UNAUTHORIZED
        elif table.secured and not table.keys and not table.rights[subscription.role].bypass:
            problem = NO_KEY
        elif not self._visible.get((subscription.claims, index), True):
            return
        selections = {binding.select for binding in bindings}
        for select in selections:
            ids = [binding.id for binding in reversed(bindings) if binding.select == select]
            key = (index, readable, select, problem)
            if (data := self._shown.get(key)) is None:
                data = self._shown[key] = self._show(change, table, readable, select, problem)
            payload = f'{{"data":{data},"ids":{compact(ids)}}}'
            subscription.send(Outgoing(subscription.topic, "postgres_changes", payload))

    def _show(
        self,
        change: Change,
        table: Table,
        readable: frozenset[str],
        select: tuple[str, ...] | None,
        problem: str | None,
    ) -> str:
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
        if size_of(new or {}) + size_of(old or {}) > LARGEST_RECORD:
            errors = compact([TOO_LARGE])
            new, old = (_small_values(row) for row in (new, old))
        parts = [head]
        if new is not None:
            parts.append(f'"record":{as_object(new, columns, self._known)}')
        shown = ", ".join(json.dumps({"name": column.name, "type": column.type}) for column in columns)
        parts.append(f'"columns":[{shown}],"errors":{errors},{tail}')
        time = change.committed_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        parts.append(f'"commit_timestamp":"{time}"')
        if old is not None:
            parts.append(f'"old_record":{as_object(old, columns, self._known)}')
        return ",".join(parts) + "}"


def _old_record(change: Change, table: Table) -> Row | None:
    """The replica identity before the change; of a deleted row that policies guard, only the primary key."""
    if change.kind is Kind.INSERT:
        return None
    old = change.old
    if old is None:
        # PostgreSQL sends the old key only when it changed.
        return {name: (change.new or {}).get(name) for name in table.keys}
    if change.kind is Kind.DELETE and table.secured:
        return {name: value for name, value in old.items() if name in table.keys}
    return old


def _small_values(row: Row | None) -> Row | None:
    if row is None:
        return None
    limit = LARGEST_VALUE_OF_A_LARGE_RECORD
    return {name: value for name, value in row.items() if not isinstance(value, str) or len(value.encode()) <= limit}


_COMPARISONS: dict[Operator, Callable[[Any, Any], bool]] = {
    Operator.EQ: operator_module.eq,
    Operator.NEQ: operator_module.ne,
    Operator.LT: operator_module.lt,
    Operator.LTE: operator_module.le,
    Operator.GT: operator_module.gt,
    Operator.GTE: operator_module.ge,
}
