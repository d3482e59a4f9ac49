"""Applies a folder of migrations in order, each in a transaction, and remembers them as the Supabase CLI does."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import psycopg

from local_supabase.errors import MigrationError
from local_supabase.postgres.pool import Connection
from local_supabase.postgres.sql_statements import split

FILE_PATTERN = re.compile(r"^(\d+)_(.*)\.sql$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file `<version>_<name>.sql`."""

    version: str
    name: str
    path: Path


def find(folder: Path) -> list[Migration]:
    """Return the migrations of a folder in the order to apply them; raises MigrationError for an unusable folder."""
    if not folder.is_dir():
        raise MigrationError(f"The migrations folder {folder} does not exist: give another with --migrations.")
    found: dict[str, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        if not (match := FILE_PATTERN.match(path.name)):
            raise MigrationError(f"{path} is not named <timestamp>_name.sql: rename it, or move it elsewhere.")
        migration = Migration(version=match[1], name=match[2], path=path)
        if other := found.get(migration.version):
            raise MigrationError(f"{path} and {other.path} have the same timestamp: rename one.")
        found[migration.version] = migration
    return sorted(found.values(), key=lambda migration: (len(migration.version), migration.version))


async def apply(connection: Connection, folder: Path) -> list[Migration]:
    """Apply what is new in `folder` and return it; on the first run also `seed.sql` beside the folder.

    `connection` logs in as the owner of the data. Raises MigrationError with file, line and PostgreSQL's message;
    nothing of the failing file is applied, and what came before it stays.
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
                (migration.version, split(text), migration.name),
            )
    await _seed(connection, folder.parent / "seed.sql", is_new_database=not applied)
    return new


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
        # Without parameters the whole file goes in one message, so that PostgreSQL reports positions within the file.
        await connection.execute(text.encode(), prepare=False)
    except psycopg.Error as error:
        diagnostic = error.diag
        position = diagnostic.statement_position
        line = text.count("\n", 0, int(position) - 1) + 1 if position else None
        message = diagnostic.message_primary or str(error).strip()
        details = [part for part in (diagnostic.message_detail, diagnostic.message_hint, diagnostic.context) if part]
        where = f"{path}, line {line}" if line else f"{path}, {_statement_line(text, diagnostic)}"
        raise MigrationError(": ".join([where, message, *details])) from error


def _statement_line(text: str, diagnostic: psycopg.errors.Diagnostic) -> str:
    # An error without position (a constraint, a missing privilege) names its object: the last mention is the best lead.
    for name in (diagnostic.constraint_name, diagnostic.column_name, diagnostic.table_name):
        if name and name in text:
            return f"near line {text.count(chr(10), 0, text.index(name)) + 1}"
    return "position not reported by PostgreSQL"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise MigrationError(f"{path} cannot be read: {error}") from error
