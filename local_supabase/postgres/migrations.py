"""Migrations: applied in order, each in a transaction, and recorded as the Supabase CLI records them."""

import hashlib
from pathlib import Path

import psycopg

from local_supabase.errors import MigrationError
from local_supabase.postgres.hints import hint_of
from local_supabase.postgres.migration_files import Migration, find
from local_supabase.postgres.pool import Connection

__all__ = ["Migration", "apply", "find", "unknown"]

SEED_NAME = "seed.sql"


async def apply(connection: Connection, folder: Path) -> list[Migration]:
    """Apply the new migrations of a folder; the first time, also `seed.sql` beside the folder.

    Each file runs as one simple query in a transaction of its own, with its row of `schema_migrations`. A failing file
    is rolled back; the ones before it stay applied. Statements that cannot run in a transaction (`vacuum`,
    `create index concurrently`) are not supported.

    Args:
        connection: a connection as the owner of the data.
        folder: the migrations folder.

    Returns:
        The migrations that were applied.

    Raises:
        MigrationError: names the file, the line and PostgreSQL's message.
    """
    cursor = await connection.execute("select version from supabase_migrations.schema_migrations")
    applied = {row[0] for row in await cursor.fetchall()}
    new = [migration for migration in find(folder) if migration.version not in applied]
    for migration in new:
        text = _read(migration.path)
        async with connection.transaction():
            await _run(connection, migration.path, text)
            await connection.execute("reset role")
            await connection.execute("reset search_path")
            await connection.execute(
                "insert into supabase_migrations.schema_migrations (version, statements, name) values (%s, %s, %s)",
                (migration.version, _recorded(text), migration.name),
            )
    await _seed(connection, folder.parent / SEED_NAME, is_new_database=not applied)
    return new


async def unknown(connection: Connection, folder: Path) -> list[str]:
    """Return the applied migrations, as `<version>_<name>`, that the folder does not hold, in order."""
    known = {migration.version for migration in find(folder)}
    cursor = await connection.execute(
        "select version, name from supabase_migrations.schema_migrations order by version"
    )
    return [f"{version}_{name or ''}" for version, name in await cursor.fetchall() if version not in known]


async def _seed(connection: Connection, path: Path, *, is_new_database: bool) -> None:
    cursor = await connection.execute("select from supabase_migrations.seed_files limit 1")
    if not is_new_database or await cursor.fetchone() is not None:
        return
    text = _read(path)
    if not text:
        return
    async with connection.transaction():
        await _run(connection, path, text)
        await connection.execute("reset role")
        await connection.execute(
            "insert into supabase_migrations.seed_files (path, hash) values (%s, %s)",
            (path.name, hashlib.sha256(text.encode()).hexdigest()),
        )


async def _run(connection: Connection, path: Path, text: str) -> None:
    if not text.strip():
        return
    try:
        # Without parameters psycopg sends the file as one simple query: PostgreSQL separates the statements, and
        # reports error positions within the file.
        await connection.execute(text.encode(), prepare=False)
    except psycopg.Error as error:
        diagnostic = error.diag
        message = diagnostic.message_primary or str(error).strip()
        details = [part for part in (diagnostic.message_detail, hint_of(error), diagnostic.context) if part]
        raise MigrationError(": ".join([f"{path}, {_location(text, diagnostic)}", message, *details])) from error


def _location(text: str, diagnostic: psycopg.errors.Diagnostic) -> str:
    if position := diagnostic.statement_position:
        return f"line {_line(text, int(position) - 1)}"
    # An error without a position (a violated constraint) names an object; its first mention is the best guess.
    for name in (diagnostic.constraint_name, diagnostic.column_name, diagnostic.table_name):
        if name and name in text:
            return f"near line {_line(text, text.index(name))}"
    return "position not reported by PostgreSQL"


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def _recorded(text: str) -> list[str]:
    """Return `schema_migrations.statements`: the whole file as one entry, without the final semicolon.

    The Supabase CLI compares versions only, and `supabase migration fetch` joins the entries to a file again.
    """
    statements = text.strip().removesuffix(";")
    return [statements] if statements else []


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise MigrationError(f"{path} cannot be read: {error}") from error
