"""The child process: start, stop, crash, restart, and clear errors."""

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from local_supabase import secrets_file
from local_supabase.child import Step
from local_supabase.errors import StartError
from local_supabase.process import LocalSupabase
from local_supabase.status import LocalSupabaseStatus
from local_supabase.tests.speed import deadline
from local_supabase.tests.tools import MIGRATIONS, ROOT, owner_of, until

pytestmark = [pytest.mark.integration, pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")]


@pytest.fixture
def one_table(tmp_path: Path) -> Path:
    folder = tmp_path / "supabase" / "migrations"
    folder.mkdir(parents=True)
    (folder / "20260101000000_things.sql").write_text("create table public.things (id int primary key, name text);")
    (folder.parent / "seed.sql").write_text("insert into public.things values (1, 'seeded');")
    return folder


def postgres_of(data: Path) -> psutil.Process:
    return psutil.Process(int((data / "postgres" / "postmaster.pid").read_text().splitlines()[0]))


def ended(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


async def signs_in(local: LocalSupabase) -> bool:
    status = local.status
    assert status.demo_password is not None
    body = {"email": status.demo_email, "password": status.demo_password.get_secret_value()}
    headers = {"apikey": status.anon_key.get_secret_value()}
    async with httpx.AsyncClient(base_url=status.api_url, headers=headers, timeout=deadline(10)) as http:
        answer = await http.post("/auth/v1/token", params={"grant_type": "password"}, json=body)
    return answer.status_code == 200


async def names(local: LocalSupabase) -> list[str]:
    async with owner_of(local) as owner:
        return [row[0] for row in await (await owner.execute("select name from public.things order by id")).fetchall()]


async def test_it_starts_in_a_long_path_with_spaces_and_finds_its_data_again(tmp_path: Path, one_table: Path) -> None:
    data = tmp_path / ("a long path with spaces and 'quotes' " * 3) / "data"
    async with LocalSupabase.start(data=data, migrations=one_table) as local:
        assert await names(local) == ["seeded"]
        async with owner_of(local) as owner:
            await owner.execute("insert into public.things values (2, 'kept')")
        first = local.status
    async with LocalSupabase.start(data=data, migrations=one_table) as local:
        assert await names(local) == ["seeded", "kept"], "data is kept, the seed does not run twice"
        assert local.status.anon_key == first.anon_key
        assert local.status.database_url == first.database_url


async def test_the_files_of_the_current_directory_are_not_imported(
    tmp_path: Path, one_table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("argparse.py", "local_supabase.py", "psycopg.py"):
        (tmp_path / name).write_text("raise SystemExit('imported from the current directory')")
    monkeypatch.chdir(tmp_path)
    async with LocalSupabase.start(data=Path("data"), migrations=one_table) as local:
        assert await names(local) == ["seeded"]
        monkeypatch.chdir("/")
        await local.restart()
        assert await names(local) == ["seeded"], "a relative path keeps its meaning"


async def test_nothing_is_left_running_after_a_stop(tmp_path: Path, one_table: Path) -> None:
    async with LocalSupabase.start(data=tmp_path / "data", migrations=one_table) as local:
        assert local.pid is not None
        child, postgres = psutil.Process(local.pid), postgres_of(tmp_path / "data")
        await local.stop()
        await local.stop()
        assert local.pid is None
    assert ended(child)
    assert ended(postgres)
    assert not (tmp_path / "data" / "postgres" / "postmaster.pid").exists(), "PostgreSQL was shut down in order"


async def test_steps_are_reported_in_order_with_times_and_without_secrets(tmp_path: Path, one_table: Path) -> None:
    steps: list[Step] = []
    async with LocalSupabase.start(data=tmp_path / "data", migrations=one_table, on_step=steps.append) as local:
        assert [step.name for step in steps] == ["postgres", "migrations", "auth", "realtime", "ready"]
        assert [step.seconds for step in steps] == sorted(step.seconds for step in steps)
        assert steps[-1].text == local.status.api_url
        secrets = json.loads((tmp_path / "data" / "secrets.json").read_text()).values()
        assert not [secret for secret in secrets if secret in repr(steps) or secret in repr(local.status)]


async def test_the_status_file_is_private_and_its_urls_work(local: LocalSupabase, data: Path) -> None:
    status = LocalSupabaseStatus.read(data)
    for name in ("status.json", "secrets.json"):
        assert stat.S_IMODE((data / name).stat().st_mode) == 0o600
    assert status.app_database_url is not None
    url = status.app_database_url.get_secret_value()
    async with await psycopg.AsyncConnection.connect(url) as app:
        row = await (
            await app.execute(
                "select current_user, rolsuper or rolbypassrls from pg_roles where rolname = current_user"
            )
        ).fetchone()
    assert row == ("test_app", False)
    async with httpx.AsyncClient(timeout=deadline(10)) as client:
        assert (await client.get(status.jwks_url)).status_code == 200


async def test_nobody_gets_into_the_database_without_a_password(local: LocalSupabase) -> None:
    folder = local.status.database_url.get_secret_value().partition("?")[2]
    for role in ("supabase_admin", "postgres", "anon"):
        with pytest.raises(psycopg.OperationalError):
            await psycopg.AsyncConnection.connect(f"postgresql://{role}:wrong@/postgres?{folder}")


async def test_a_crash_is_followed_by_a_start_on_the_same_port(tmp_path: Path, one_table: Path) -> None:
    async with LocalSupabase.start(data=tmp_path / "data", migrations=one_table) as local:
        before, postgres = local.status, postgres_of(tmp_path / "data")
        assert local.pid is not None
        os.kill(local.pid, signal.SIGKILL)
        await until(lambda: local.pid is not None and local.status.pid != before.pid, 30)
        assert ended(postgres), "PostgreSQL does not outlive its parent"
        assert local.status.api_url == before.api_url
        assert await names(local) == ["seeded"]


async def test_a_restart_keeps_address_and_data(tmp_path: Path, one_table: Path) -> None:
    async with LocalSupabase.start(data=tmp_path / "data", migrations=one_table) as local:
        before = local.status
        await local.restart()
        assert local.status.api_url == before.api_url
        assert local.status.pid != before.pid
        assert await names(local) == ["seeded"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
async def test_postgres_comes_back_and_nobody_meets_a_dead_connection(
    tmp_path: Path, one_table: Path, number: signal.Signals
) -> None:
    async with LocalSupabase.start(data=tmp_path / "data", migrations=one_table, user="demo@example.com") as local:
        assert await signs_in(local)
        killed = postgres_of(tmp_path / "data")
        killed.send_signal(number)
        await until(lambda: ended(killed))

        async def connects() -> bool:
            try:
                return await names(local) == ["seeded"]
            except psycopg.OperationalError:
                return False

        await until(connects, 20)
        assert await signs_in(local)
        assert local.pid == local.status.pid, "the server itself did not have to restart"


@pytest.fixture
def parent(tmp_path: Path, one_table: Path) -> Iterator[subprocess.Popen[str]]:
    """A separate process that starts a local Supabase and prints the child's pid."""
    program = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom local_supabase.process import LocalSupabase\n"
        "async def main():\n"
        "    async with LocalSupabase.start(data=Path(sys.argv[1]), migrations=Path(sys.argv[2])) as local:\n"
        "        print(local.pid, flush=True)\n        await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "data"), str(one_table)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        yield process
        process.kill()


async def test_nothing_is_left_running_after_the_parent_is_killed(
    parent: subprocess.Popen[str], tmp_path: Path
) -> None:
    assert parent.stdout is not None
    child = psutil.Process(int(await asyncio.to_thread(parent.stdout.readline)))
    postgres = postgres_of(tmp_path / "data")
    parent.kill()
    await until(lambda: ended(child) and ended(postgres), 20)


async def test_a_second_instance_on_the_same_data_names_the_first(local: LocalSupabase, data: Path) -> None:
    with pytest.raises(StartError, match=rf"is in use by another local Supabase \(pid {local.pid}\)"):
        async with LocalSupabase.start(data=data, migrations=MIGRATIONS):
            pass


async def test_a_port_in_use_is_a_clear_error(tmp_path: Path, one_table: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=rf"Cannot listen on 127\.0\.0\.1:{port} .* choose another with --port"):
            async with LocalSupabase.start(data=tmp_path / "data", migrations=one_table, port=port):
                pass


async def test_a_data_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path, one_table: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match=r"cannot be written .* choose another with --data"):
        async with LocalSupabase.start(data=tmp_path / "file" / "data", migrations=one_table):
            pass


async def test_data_of_another_postgres_version_is_refused(tmp_path: Path, one_table: Path) -> None:
    (tmp_path / "data" / "postgres").mkdir(parents=True)
    secrets_file.load_or_create(tmp_path / "data")
    (tmp_path / "data" / "postgres" / "PG_VERSION").write_text("15\n")
    with pytest.raises(StartError, match="made by PostgreSQL 15, and this is PostgreSQL 18"):
        async with LocalSupabase.start(data=tmp_path / "data", migrations=one_table):
            pass


async def test_a_reset_starts_with_new_data_once(tmp_path: Path, one_table: Path) -> None:
    async with LocalSupabase.start(data=tmp_path / "data", migrations=one_table) as local:
        old_key = local.status.anon_key
        async with owner_of(local) as owner:
            await owner.execute("insert into public.things values (2, 'lost')")
    async with LocalSupabase.start(data=tmp_path / "data", migrations=one_table, reset=True) as local:
        assert await names(local) == ["seeded"]
        assert local.status.anon_key != old_key
        async with owner_of(local) as owner:
            await owner.execute("insert into public.things values (2, 'kept')")
        await local.restart()
        assert await names(local) == ["seeded", "kept"], "a restart does not reset again"
    (tmp_path / "data" / "somebody's file").write_text("")
    with pytest.raises(StartError, match="holds files that are not ours"):
        async with LocalSupabase.start(data=tmp_path / "data", migrations=one_table, reset=True):
            pass


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
async def test_permissions_taken_back_while_starting_are_taken_again(tmp_path: Path, one_table: Path) -> None:
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    taken_back = 0

    async def take_back() -> None:
        nonlocal taken_back
        while not taken_back:
            if folder.stat().st_mode & stat.S_IXOTH and (folder / "data" / "postgres.new").exists():
                folder.chmod(0o700)
                taken_back += 1
            await asyncio.sleep(0.001)

    taking = asyncio.create_task(take_back())
    async with LocalSupabase.start(data=folder / "data", migrations=one_table) as local:
        assert await names(local) == ["seeded"]
    await taking
    assert taken_back == 1


async def test_lost_secrets_are_a_clear_error(tmp_path: Path, one_table: Path) -> None:
    (tmp_path / "data" / "postgres").mkdir(parents=True)
    (tmp_path / "data" / "postgres" / "PG_VERSION").write_text("18\n")
    with pytest.raises(StartError, match=r"secrets\.json is missing"):
        async with LocalSupabase.start(data=tmp_path / "data", migrations=one_table):
            pass


async def test_a_missing_app_role_is_a_clear_error(tmp_path: Path, one_table: Path) -> None:
    with pytest.raises(StartError, match="The role 'nobody_made_it' does not exist"):
        async with LocalSupabase.start(data=tmp_path / "data", migrations=one_table, app_role="nobody_made_it"):
            pass
