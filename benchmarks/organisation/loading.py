"""Loads rows quickly: as the superuser of a local Supabase, without triggers, and indexes after the rows."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import pq, sql
from psycopg.conninfo import make_conninfo

from local_supabase.postgres.embedded import SUPERUSER
from local_supabase.secrets_file import load_or_create
from local_supabase.status import LocalSupabaseStatus

Connection = psycopg.Connection[Any]
_SETTINGS = {
    # Triggers do not run, and foreign keys are not checked.
    "session_replication_role": "replica",
    "synchronous_commit": "off",
    "maintenance_work_mem": "512MB",
}
_INDEXES = """
    select index.indexrelid::regclass::text, pg_get_indexdef(index.indexrelid)
    from pg_index as index
    where index.indrelid = any (%s::regclass[]) and not exists (
        select from pg_constraint as needed where needed.conindid = index.indexrelid)
    order by index.indexrelid
"""


def superuser_url(status: LocalSupabaseStatus, data: Path) -> str:
    """Return the address by which the superuser of a local Supabase connects; `data` is its directory."""
    password = load_or_create(data).admin_password
    return make_conninfo(status.database_url.get_secret_value(), user=SUPERUSER, password=password)


@contextmanager
def loading(connection: Connection, tables: Sequence[str]) -> Iterator[None]:
    """Let a block fill tables without triggers and without indexes; both are back after it.

    Args:
        connection: A connection of the superuser that commits each statement, or is in a transaction.
        tables: Names of tables in the schema `public`.
    """
    for name, value in _SETTINGS.items():
        connection.execute("select set_config(%s, %s, false)", (name, value))
    try:
        names = [f"public.{table}" for table in tables]
        indexes = connection.execute(_INDEXES, (names,)).fetchall()
        for name, _ in indexes:
            connection.execute(f"drop index {name}".encode())
        try:
            yield
        finally:
            # A transaction that failed takes the indexes back by itself.
            if connection.info.transaction_status is not pq.TransactionStatus.INERROR:
                for _, definition in indexes:
                    connection.execute(str(definition).encode())
        is_committed = connection.info.transaction_status is pq.TransactionStatus.IDLE
        for name in names:
            # A vacuum, which no transaction may hold, also marks pages as visible to all, as time does.
            connection.execute(f"{'vacuum (analyze)' if is_committed else 'analyze'} {name}".encode())
    finally:
        if connection.info.transaction_status is not pq.TransactionStatus.INERROR:
            for name in _SETTINGS:
                connection.execute(sql.SQL("reset {}").format(sql.Identifier(name)))


def copy(connection: Connection, table: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> int:
    """Copy rows into a table of the schema `public`; returns their number."""
    count = 0
    with connection.cursor() as cursor, cursor.copy(f"copy public.{table} ({columns}) from stdin".encode()) as copying:
        for row in rows:
            copying.write_row(row)
            count += 1
    return count


@contextmanager
def large_log(connection: Connection) -> Iterator[None]:
    """Let the server write much before it must write its pages to disk, too; for a connection without a transaction."""
    connection.execute("alter system set max_wal_size = '8GB'")
    connection.execute("select pg_reload_conf()")
    try:
        yield
    finally:
        connection.execute("alter system reset max_wal_size")
        connection.execute("select pg_reload_conf()")
        connection.execute("checkpoint")
