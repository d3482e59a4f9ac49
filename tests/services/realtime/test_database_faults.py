"""Faults of PostgreSQL and of the server process: locks, changed tables, kills, standstill; equal again afterwards."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import psutil
import psycopg
import pytest

from local_supabase.errors import PostgresError
from local_supabase.postgres.postmaster import read_pid
from tests.proxies import TcpProxy
from tests.services.realtime.watch import CONNECTED, DISCONNECTED, Watch
from tests.world import until

pytestmark = pytest.mark.integration
LOCKED_SECONDS = 12


async def answers(watch: Watch) -> bool:
    try:
        await watch.changes(2)
    except (PostgresError, psycopg.Error):
        return False
    return True


async def test_postgresql_that_is_killed(watch: Watch) -> None:
    postmaster = read_pid(watch.world.data / "postgres")
    assert postmaster
    os.kill(postmaster, signal.SIGKILL)
    await until(lambda: not psutil.pid_exists(postmaster), within=10, what="it is down")
    await until(lambda: answers(watch), within=30, what="the database answers again")
    await watch.changes()
    await watch.converges()
    # Whether a probe fell into the second without a database is chance.
    watch.went_between(DISCONNECTED, CONNECTED)


async def test_a_server_process_that_stands_still(watch: Watch) -> None:
    pid = watch.world.local.pid
    assert pid
    os.kill(pid, signal.SIGSTOP)
    try:
        await watch.changes()
        await watch.notices()
    finally:
        os.kill(pid, signal.SIGCONT)
    await watch.converges()
    watch.went(DISCONNECTED, CONNECTED)


async def test_a_locked_table_and_a_long_transaction(watch: Watch) -> None:
    """Nobody can change a row meanwhile: what is shown is true, and the channel stays."""
    url = watch.world.status.database_url.get_secret_value()
    async with await psycopg.AsyncConnection.connect(url) as owner:
        await owner.execute("update streams set completed = completed + 1 where org_id = %s", (watch.org,))
        await owner.execute("lock table streams in access exclusive mode")
        await asyncio.sleep(LOCKED_SECONDS)  # that is the fault: longer than probe and time limit
        assert watch.subscription.status.status is CONNECTED
        await owner.commit()
    await watch.changes()
    await watch.converges()
    watch.went()


async def test_a_column_that_is_added_and_dropped_while_running(watch: Watch) -> None:
    await watch.world.sql("alter table streams add column added integer default 7")
    try:
        await watch.changes()
        await watch.converges()
    finally:
        await watch.world.sql("alter table streams drop column added")
    await watch.changes()
    await watch.converges()
    watch.went()


async def test_a_line_of_32_kbit_a_second(watch: Watch, proxy: TcpProxy) -> None:
    proxy.rate = 4000.0
    await watch.changes(4)
    await until(watch.equal, within=30, what="slow, but complete")
    proxy.rate = 0.0
    await watch.converges()


async def restore_earlier_state(watch: Watch) -> None:
    """Have rows and sequence go back behind every trigger, as a restored backup does."""
    ((versions,),) = await watch.world.sql("select last_value from private.row_version")
    await watch.world.sql("alter table streams disable trigger user")
    await watch.world.sql("update streams set name = 'restored', version = version / 2 where org_id = %s", watch.org)
    await watch.world.sql("alter table streams enable trigger user")
    await watch.world.sql("select setval('private.row_version', %s)", versions // 2)


@pytest.fixture
async def row_versions(watch: Watch) -> AsyncIterator[None]:
    """Afterwards the sequence is ahead of every row again."""
    ((before,),) = await watch.world.sql("select last_value from private.row_version")
    yield
    await watch.world.sql("select setval('private.row_version', %s)", before + 10_000)


@pytest.mark.usefixtures("row_versions")
async def test_a_database_that_was_restored_to_an_earlier_state(watch: Watch, proxy: TcpProxy) -> None:
    await proxy.cut()
    await watch.notices()
    await restore_earlier_state(watch)
    await proxy.restore()
    await watch.converges()
    assert {row.name for row in watch.subscription.rows()} == {"restored"}
    await watch.changes()
    await watch.converges()


async def test_a_truncated_table_is_read_again(watch: Watch) -> None:
    """No trigger for rows fires, and the reconcile would come a minute later."""
    await watch.world.sql("truncate streams cascade")
    await until(lambda: not watch.subscription.rows(), within=10, what="the rows are gone")
    await watch.changes()
    await watch.converges()
