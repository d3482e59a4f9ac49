"""Faults of PostgreSQL are told apart: each has a sentence by which a person can act, and none is taken for another."""

import asyncio

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.engine import make_url

from services.errors import (
    DatabaseBusy,
    DatabaseReadOnly,
    DatabaseTimeLimit,
    DatabaseUnavailable,
    LivewatchError,
    PermissionDenied,
    TooManyConnections,
)
from services.infra.database import Database
from tests.world import Person, World, until

pytestmark = pytest.mark.integration
UNREACHABLE = "does not respond"


async def failure(world: World, person: Person, *statements: str) -> LivewatchError:
    """Run statements as a user; returns the error of the last one."""
    with pytest.raises(LivewatchError) as failed:
        await execute(world, person, *statements)
    return failed.value


async def execute(world: World, person: Person, *statements: str) -> None:
    async with world.database.as_user(person.identity) as session:
        connection = await session.connection()
        for statement in statements:
            await connection.execute(text(statement))


async def test_a_statement_beyond_its_time_limit_is_no_silence(world: World) -> None:
    error = await failure(world, await world.person(), "set local statement_timeout = '50ms'", "select pg_sleep(5)")
    assert isinstance(error, DatabaseTimeLimit)
    assert "time limit" in str(error)
    assert UNREACHABLE not in str(error)


async def test_a_lock_that_others_hold_is_named(world: World) -> None:
    org = await world.organization()
    person = await world.person(org)
    await world.sql("insert into streams (org_id, name) values (%s, 'held')", org)
    async with await psycopg.AsyncConnection.connect(world.status.database_url.get_secret_value()) as holder:
        await holder.execute("select from streams where org_id = %s for update", (org,))
        error = await failure(
            world, person, "set local lock_timeout = '50ms'", f"update streams set name = 'x' where org_id = '{org}'"
        )
    assert isinstance(error, DatabaseBusy)
    assert "another transaction" in str(error)


async def test_a_read_only_database_is_named(world: World) -> None:
    org = await world.organization()
    person = await world.person(org)
    error = await failure(
        world, person, "set transaction read only", f"insert into streams (org_id, name) values ('{org}', 'x')"
    )
    assert isinstance(error, DatabaseReadOnly)
    assert "read-only" in str(error)


async def test_what_row_level_security_refuses_names_the_user(world: World) -> None:
    org, stranger = await world.organization(), await world.person()
    error = await failure(world, stranger, f"insert into streams (org_id, name) values ('{org}', 'x')")
    assert isinstance(error, PermissionDenied)
    assert stranger.email in str(error)


async def test_a_full_disk_and_memory_are_named(world: World) -> None:
    """A server that runs out of disk is one for a test of its own; what it would answer can be raised."""
    person = await world.person()
    for state, word in (("53100", "disk"), ("53200", "memory"), ("53300", "connection"), ("57P01", "shutting down")):
        error = await failure(world, person, f"do $$ begin raise exception 'x' using errcode = '{state}'; end $$")
        assert word in str(error), state
        assert UNREACHABLE not in str(error), state


async def test_no_free_connection_is_told_from_silence(world: World) -> None:
    """By the server's limit for a role, and by the app's own pool."""
    person = await world.person()
    assert world.status.app_database_url
    url = world.status.app_database_url
    async with Database(url, pool_size=1) as full:
        full._engine.pool._timeout = 0.1  # type: ignore[attr-defined]
        full._engine.pool._max_overflow = 0  # type: ignore[attr-defined]
        async with full.as_user(person.identity):
            with pytest.raises(TooManyConnections, match="in use"):
                async with full.as_user(person.identity):
                    pass
    role = "crowded_app"
    await world.sql(f"create role {role} login noinherit connection limit 0 password 'x'")
    try:
        crowded = make_url(url.get_secret_value()).set(username=role, password="x")
        async with Database(SecretStr(crowded.render_as_string(hide_password=False))) as database:
            with pytest.raises(TooManyConnections, match="max_connections"):
                async with database.as_user(person.identity):
                    pass
    finally:
        await world.sql(f"drop role {role}")


async def test_a_refused_connection_says_why_and_no_silence(world: World) -> None:
    person = await world.person()
    assert world.status.app_database_url
    wrong = make_url(world.status.app_database_url.get_secret_value()).set(password="not this one")
    async with Database(SecretStr(wrong.render_as_string(hide_password=False))) as database:
        with pytest.raises(DatabaseUnavailable, match="refuses the connection: password") as refused:
            async with database.as_user(person.identity):
                pass
    assert UNREACHABLE not in str(refused.value)


async def test_a_server_that_is_away_or_goes_away_does_not_respond(world: World) -> None:
    person = await world.person()
    async with Database(SecretStr("postgresql://livewatch_app:x@127.0.0.1:9/postgres")) as database:
        with pytest.raises(DatabaseUnavailable, match=UNREACHABLE):
            async with database.as_user(person.identity):
                pass
    statement = "select pg_sleep(60) /* cut off */"
    running = asyncio.create_task(execute(world, person, statement))
    end = "select pg_terminate_backend(pid) from pg_stat_activity where query = %s"
    await until(lambda: world.sql(end, statement), what="the connection is cut")
    with pytest.raises(DatabaseUnavailable, match="shutting down"):
        await running
