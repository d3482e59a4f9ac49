"""The parts of a hosted project that migrations take for granted, applied when they are new or have changed."""

import hashlib
from pathlib import Path

import psycopg

from local_supabase.errors import PostgresError
from local_supabase.postgres.pool import Connection

FOLDER = Path(__file__).parent


async def apply(connection: Connection, passwords: dict[str, str]) -> bool:
    """Bring the database to this version of the bootstrap; return whether anything had to be done.

    `connection` is the superuser's, `passwords` belong to the roles that log in. All of it is one transaction.
    """
    files = sorted(FOLDER.glob("*.sql"))
    text = "\n".join(file.read_text() for file in files)
    version = hashlib.sha256(text.encode()).hexdigest()[:16]
    if await _applied(connection) == version:
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
        raise PostgresError(f"The database could not be prepared: {str(error).strip()}") from error
    return True


async def set_password(connection: Connection, role: str, password: str) -> None:
    """Let `role` log in with `password`; raises PostgresError when there is no such role."""
    statement = psycopg.sql.SQL("alter role {} login password {}").format(
        psycopg.sql.Identifier(role), psycopg.sql.Literal(password)
    )
    try:
        await connection.execute(statement)
    except psycopg.errors.UndefinedObject as error:
        raise PostgresError(f"The role '{role}' does not exist: a migration has to create it.") from error


async def _applied(connection: Connection) -> str | None:
    cursor = await connection.execute("select to_regclass('local_supabase.bootstrap') is not null")
    row = await cursor.fetchone()
    if not row or not row[0]:
        return None
    row = await (await connection.execute("select version from local_supabase.bootstrap")).fetchone()
    return str(row[0]) if row else None
