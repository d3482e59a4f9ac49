"""Migrations: order, history, failures, and the privileges they run with."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from local_supabase.errors import MigrationError
from local_supabase.postgres import migrations
from local_supabase.process import LocalSupabase
from local_supabase.tests.tools import owner_of

pytestmark = pytest.mark.integration

Owner = psycopg.AsyncConnection[Any]


@pytest.fixture
async def connection(local: LocalSupabase) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """A new database with the history tables of a new project."""
    url = local.status.database_url.get_secret_value()
    async with owner_of(local) as owner:
        await owner.execute("create database migrations_test")
        try:
            other = url.replace("/postgres?", "/migrations_test?")
            async with await psycopg.AsyncConnection.connect(other, autocommit=True) as connection:
                await connection.execute("create schema supabase_migrations")
                await connection.execute(
                    "create table supabase_migrations.schema_migrations"
                    " (version text primary key, statements text[], name text);"
                    "create table supabase_migrations.seed_files (path text primary key, hash text not null)"
                )
                yield connection
        finally:
            await owner.execute("drop database migrations_test with (force)")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "migrations"
    path.mkdir()
    return path


async def count(connection: psycopg.AsyncConnection[Any], table: str) -> int:
    cursor = await connection.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(table)))
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def test_migrations_run_once_in_order_and_are_recorded(
    connection: psycopg.AsyncConnection[Any], folder: Path
) -> None:
    (folder / "20260102000000_rows.sql").write_text("insert into a values (1);\ninsert into a values (2);")
    (folder / "20260101000000_table.sql").write_text("create table a (id int); -- the first")
    applied = await migrations.apply(connection, folder)
    assert [migration.name for migration in applied] == ["table", "rows"]
    assert await migrations.apply(connection, folder) == []
    assert await count(connection, "a") == 2
    cursor = await connection.execute("select * from supabase_migrations.schema_migrations order by version")
    assert await cursor.fetchall() == [
        ("20260101000000", ["create table a (id int); -- the first"], "table"),
        ("20260102000000", ["insert into a values (1);\ninsert into a values (2)"], "rows"),
    ]


async def test_a_failing_migration_names_file_line_and_reason_and_leaves_nothing_of_itself(
    connection: psycopg.AsyncConnection[Any], folder: Path
) -> None:
    (folder / "20260101000000_good.sql").write_text("create table good (id int);")
    bad = folder / "20260102000000_bad.sql"
    bad.write_text("create table half (id int);\n\ncreate table broken (id nosuchtype);\n")
    with pytest.raises(MigrationError) as caught:
        await migrations.apply(connection, folder)
    assert str(caught.value) == f'{bad}, line 3: type "nosuchtype" does not exist'
    assert await count(connection, "good") == 0
    with pytest.raises(psycopg.errors.UndefinedTable):
        await count(connection, "half")
    bad.write_text("create table half (id int);")
    assert [migration.name for migration in await migrations.apply(connection, folder)] == ["bad"]


async def test_the_seed_runs_on_a_new_database_only(connection: psycopg.AsyncConnection[Any], folder: Path) -> None:
    (folder / "20260101000000_table.sql").write_text("create table a (id int);")
    (folder.parent / "seed.sql").write_text("insert into a values (1);")
    await migrations.apply(connection, folder)
    (folder / "20260102000000_more.sql").write_text("create table b (id int);")
    await migrations.apply(connection, folder)
    assert await count(connection, "a") == 1


async def test_a_file_with_another_name_is_refused(folder: Path) -> None:
    (folder / "table.sql").write_text("")
    with pytest.raises(MigrationError, match=r"is not named <timestamp>_name\.sql"):
        migrations.find(folder)
    with pytest.raises(MigrationError, match="does not exist: choose another with --migrations"):
        migrations.find(folder / "nowhere")


async def test_the_owner_of_the_data_is_no_superuser(owner: psycopg.AsyncConnection[Any]) -> None:
    cursor = await owner.execute("select rolsuper, rolbypassrls from pg_roles where rolname = current_user")
    assert await cursor.fetchone() == (False, True)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await owner.execute("alter system set work_mem = '1GB'")


async def test_new_tables_in_public_are_granted_to_the_api_roles_as_hosted(
    owner: psycopg.AsyncConnection[Any],
) -> None:
    cursor = await owner.execute("select has_table_privilege('authenticated', 'public.open_notes', 'insert')")
    assert await cursor.fetchone() == (True,)


async def test_an_anonymous_role_cannot_read_users(owner: psycopg.AsyncConnection[Any]) -> None:
    async with owner.transaction(force_rollback=True):
        await owner.execute("set local role authenticated")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await owner.execute("select * from auth.users")


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("insert into a values ('1'); insert into a values ('2');", ["1", "2"]),
        ("insert into a values (';'); insert into a values (E'\\';');", [";", "';"]),
        ('insert into a select b.";" from (select \'1\' as ";") b', ["1"]),
        ("do $$ begin insert into a values ('1'); end $$; insert into a values ('2')", ["1", "2"]),
        ("do $a$ begin insert into a values ($$;$$); end $a$;", [";"]),
        (
            "/* ; /* ; */ ; */ insert into a values ('1') -- ;\n; insert into a values ('2')",
            ["1", "2"],
        ),
        (
            "create function f() returns int begin atomic select case when true then 1 end; end;"
            "insert into a values (f())",
            ["1"],
        ),
        ("  \n", []),
    ],
)
async def test_postgresql_separates_the_statements_of_a_file(
    connection: psycopg.AsyncConnection[Any], folder: Path, text: str, rows: list[str]
) -> None:
    await connection.execute("create table a (t text)")
    (folder / "20260101000000_rows.sql").write_text(text)
    await migrations.apply(connection, folder)
    assert await (await connection.execute("select t from a")).fetchall() == [(row,) for row in rows]
    cursor = await connection.execute("select statements from supabase_migrations.schema_migrations")
    assert await cursor.fetchall() == [([text.strip().removesuffix(";")] if text.strip() else [],)]


@pytest.mark.parametrize(
    "statement",
    [
        "create extension vector",
        'create extension if not exists "vector" with schema extensions',
        "insert into storage.buckets (id, name, public) values ('avatars', 'avatars', true) on conflict do nothing",
        "create policy mine on storage.objects for select to authenticated"
        " using (bucket_id = 'avatars' and (storage.foldername(name))[1] = auth.uid()::text);"
        "drop policy mine on storage.objects",
        "insert into auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at,"
        " recovery_sent_at, last_sign_in_at, raw_app_meta_data, raw_user_meta_data, created_at, updated_at,"
        " confirmation_token, email_change, email_change_token_new, recovery_token) values"
        " ('00000000-0000-0000-0000-000000000000', 'aaaaaaaa-0000-4000-8000-000000000001', 'authenticated',"
        " 'authenticated', 'seeded@example.com', '', now(), now(), now(),"
        """ '{"provider":"email","providers":["email"]}', '{}', now(), now(), '', '', '', '');"""
        "insert into auth.identities (id, user_id, provider_id, identity_data, provider, last_sign_in_at, created_at,"
        " updated_at) select gen_random_uuid(), id, id, jsonb_build_object('sub', id::text, 'email', email), 'email',"
        " now(), now(), now() from auth.users where email = 'seeded@example.com';"
        "delete from auth.users where email = 'seeded@example.com'",
    ],
)
async def test_what_migrations_and_seeds_of_hosted_projects_do_works(owner: Owner, statement: str) -> None:
    async with owner.transaction(force_rollback=True):
        await owner.execute(statement.encode())


async def test_an_extension_of_the_wheel_is_used_by_the_owner(owner: Owner) -> None:
    async with owner.transaction(force_rollback=True):
        await owner.execute("create extension vector with schema extensions")
        cursor = await owner.execute("select '[1,2,3]'::vector <-> '[1,2,5]'::vector")
        assert await cursor.fetchone() == (2.0,)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("create extension pgcrypto", "brings only the extensions plpgsql and vector"),
        ("create extension file_fdw", "brings only the extensions plpgsql and vector"),
        ("select vault.create_secret('a')", "has no Vault"),
        ("insert into vault.secrets values (1)", "has no Vault"),
        ("select cron.schedule('a', 'b', 'c')", "has no pg_cron"),
        ("select net.http_post('a')", "has no pg_net"),
        ("create trigger t after insert on a execute function supabase_functions.http_request()", "database webhooks"),
        ("select extensions.crypt('a', extensions.gen_salt('bf'))", "create users by the admin API"),
        ("select uuid_generate_v4()", r"call gen_random_uuid\(\)"),
    ],
)
async def test_what_is_missing_of_the_platform_is_said(
    connection: Owner, folder: Path, statement: str, said: str
) -> None:
    await connection.execute("create schema extensions; create table a (t text)")
    (folder / "20260101000000_missing.sql").write_text(f"{statement};")
    with pytest.raises(MigrationError, match=said):
        await migrations.apply(connection, folder)


async def test_applied_migrations_that_the_folder_lacks_are_named(connection: Owner, folder: Path) -> None:
    for name in ("20260101000000_first", "20260102000000_second"):
        (folder / f"{name}.sql").write_text("select 1")
    await migrations.apply(connection, folder)
    assert await migrations.unknown(connection, folder) == []
    (folder / "20260101000000_first.sql").unlink()
    assert await migrations.unknown(connection, folder) == ["20260101000000_first"]


@pytest.mark.parametrize("statement", ["create index concurrently on a (t)", "vacuum a"])
async def test_a_statement_that_cannot_run_in_a_transaction_is_a_clear_error(
    connection: psycopg.AsyncConnection[Any], folder: Path, statement: str
) -> None:
    await connection.execute("create table a (t text)")
    (folder / "20260101000000_outside.sql").write_text(f"{statement};")
    with pytest.raises(MigrationError, match=r"cannot run inside a transaction block: .* leave this statement out"):
        await migrations.apply(connection, folder)
