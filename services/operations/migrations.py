"""Database migrations: finds and applies those that a database is missing."""

from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from local_supabase.errors import MigrationError
from local_supabase.postgres.migrations import apply, find
from services.errors import ConfigurationError
from services.infra.backend import APP_ROLE, MIGRATIONS
from services.infra.claims import Anonymous
from services.infra.database import Database

CONNECT_TIMEOUT_SECONDS = 30
_APPLIED = text("select private.applied_migrations()")
# The Supabase CLI's own tables, so that `supabase db push` and this module agree on what is applied.
_LEDGER = b"""
    create schema if not exists supabase_migrations;
    create table if not exists supabase_migrations.schema_migrations
        (version text primary key, statements text[], name text);
    create table if not exists supabase_migrations.seed_files (path text primary key, hash text not null);
"""


async def missing_migrations(database: Database) -> list[str]:
    """Return the file names of migrations that are not applied, in order; raises DatabaseUnavailable."""
    wanted = {migration.version: migration.path.name for migration in find(MIGRATIONS)}
    try:
        async with database.as_user(Anonymous()) as session:
            applied = set((await (await session.connection()).execute(_APPLIED)).scalars())
    except ProgrammingError:
        # The function and its schema are created by a migration themselves.
        applied = set()
    return [name for version, name in wanted.items() if version not in applied]


async def migrate(url: SecretStr, *, app_password: SecretStr | None = None) -> list[str]:
    """Apply the missing migrations.

    Args:
        url: PostgreSQL URL of the tables' owner, `postgres` in a Supabase project.
        app_password: Password to set for the app's role; unchanged by default.

    Returns:
        The file names of the applied migrations, in order.

    Raises:
        ConfigurationError: A migration failed; names the file, the line and PostgreSQL's message. Earlier migrations
            stay applied.
    """
    try:
        async with await connect_as_owner(url) as connection:
            await connection.execute(_LEDGER)
            applied = await apply(connection, MIGRATIONS)
            if app_password is not None:
                await connection.execute(
                    sql.SQL("alter role {} login password {}").format(
                        sql.Identifier(APP_ROLE), sql.Literal(app_password.get_secret_value())
                    )
                )
    except MigrationError as error:
        raise ConfigurationError(str(error)) from error
    except psycopg.Error as error:
        message = error.diag.message_primary or str(error).strip().splitlines()[0]
        raise ConfigurationError(
            f"The migrations could not be applied: {message}. MIGRATE_DATABASE_URL must log in as the owner of the "
            "tables, which is postgres in a Supabase project."
        ) from None
    return [migration.path.name for migration in applied]


async def connect_as_owner(url: SecretStr) -> psycopg.AsyncConnection[tuple[Any, ...]]:
    """Open an autocommit connection of the tables' owner.

    Raises:
        ConfigurationError: The URL is malformed; the message of libpq would quote its password.
        psycopg.Error: The connection failed.
    """
    try:
        conninfo_to_dict(url.get_secret_value())
    except psycopg.Error:
        raise ConfigurationError(
            "MIGRATE_DATABASE_URL is not a valid connection string: use one like "
            "postgresql://postgres:<password>@<host>:5432/postgres, with special characters of the password encoded."
        ) from None
    return await psycopg.AsyncConnection.connect(
        url.get_secret_value(), autocommit=True, prepare_threshold=None, connect_timeout=CONNECT_TIMEOUT_SECONDS
    )
