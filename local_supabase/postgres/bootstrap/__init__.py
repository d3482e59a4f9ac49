"""Bootstrap SQL: the roles, schemas and functions of a hosted project, applied when new or changed."""

import hashlib
from pathlib import Path

import psycopg

from local_supabase.errors import PostgresError
from local_supabase.postgres.pool import Connection

FOLDER = Path(__file__).parent


async def apply(connection: Connection, passwords: dict[str, str]) -> bool:
    """Apply the bootstrap in one transaction unless this version is present.

    Args:
        connection: the superuser's connection.
        passwords: passwords of the login roles, by role.

    Returns:
        Whether anything was applied.

    Raises:
        PostgresError: a statement failed.
    """
    text = "\n".join(file.read_text() for file in sorted(FOLDER.glob("*.sql")))
    version = hashlib.sha256(text.encode()).hexdigest()[:16]
    if await _applied_version(connection) == version:
        return False
    try:
        async with connection.transaction():
            await connection.execute(text.encode())
            for role, password in passwords.items():
                await set_password(connection, role, password)
            await connection.execute("create schema if not exists local_supabase")
            await connection.execute("create table if not exists local_supabase.bootstrap (version text primary key)")
            await connection.execute("delete from local_supabase.bootstrap")
            await connection.execute("insert into local_supabase.bootstrap values (%s)", (version,))
    except psycopg.Error as error:
        raise PostgresError(f"The bootstrap of the database failed: {str(error).strip()}") from error
    return True


async def set_password(connection: Connection, role: str, password: str) -> None:
    """Let `role` log in with `password`; raises PostgresError if there is no such role."""
    statement = psycopg.sql.SQL("alter role {} login password {}").format(
        psycopg.sql.Identifier(role), psycopg.sql.Literal(password)
    )
    try:
        await connection.execute(statement)
    except psycopg.errors.UndefinedObject as error:
        raise PostgresError(f"The role '{role}' does not exist: create it in a migration.") from error


async def _applied_version(connection: Connection) -> str | None:
    cursor = await connection.execute("select to_regclass('local_supabase.bootstrap') is not null")
    row = await cursor.fetchone()
    if not row or not row[0]:
        return None
    row = await (await connection.execute("select version from local_supabase.bootstrap")).fetchone()
    return str(row[0]) if row else None
