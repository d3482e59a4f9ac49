"""The commands of main.py, run as processes."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import Mapping

import pytest

from main import arguments_of
from tests.app_process import OURS, ROOT, project_settings
from tests.speed import deadline
from tests.world import Person, World, until

pytestmark = pytest.mark.integration


async def start(environment: Mapping[str, str], *command: str) -> asyncio.subprocess.Process:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "main.py",
        *command,
        cwd=ROOT,
        env={**inherited, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def said(environment: Mapping[str, str], *command: str) -> tuple[int | None, str]:
    process = await start(environment, *command)
    output, _ = await asyncio.wait_for(process.communicate(), deadline(60))
    return process.returncode, output.decode()


def as_person(world: World, person: Person) -> dict[str, str]:
    return {
        **project_settings(world.status, world.data),
        "LIVEWATCH_EMAIL": person.email,
        "LIVEWATCH_PASSWORD": person.password,
    }


async def test_check_prints_a_line_for_each_thing_and_ends_with_its_verdict(world: World) -> None:
    ada = await world.person(await world.organization())
    code, output = await said(as_person(world, ada), "check")
    assert code == 0, output
    assert "ok       Probe: A probe through Realtime came back in" in output
    assert output.endswith("All checks passed.\n")
    assert ada.password not in output


async def test_check_joins_the_local_one_that_runs_and_fails_with_a_way_out(world: World) -> None:
    code, output = await said({"LIVEWATCH_DATA": str(world.data)}, "check")
    assert code == 0, output
    assert f"Using the local Supabase running at {world.status.api_url}" in output
    owner = world.status.database_url.get_secret_value()
    code, output = await said({**project_settings(world.status, world.data), "DATABASE_URL": owner}, "check")
    assert code == 1
    assert "FAILED   Database role" in output
    assert "         -> Set DATABASE_URL to log in as livewatch_app." in output
    assert "1 check failed. Apply the fixes above." in output


async def test_migrate_finds_nothing_to_do_and_says_what_it_needs(world: World) -> None:
    environment = project_settings(world.status, world.data)
    code, output = await said(environment, "migrate")
    assert code == 1
    assert "MIGRATE_DATABASE_URL is not set" in output
    owner = world.status.database_url.get_secret_value()
    code, output = await said({**environment, "MIGRATE_DATABASE_URL": owner}, "migrate")
    assert (code, output) == (0, "The database is up to date.\n")


async def test_a_synthetic_load_keeps_its_rate_is_labelled_and_leaves_nothing_behind(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    process = await start(as_person(world, ada), "demo", "--load", "200", "--streams", "10")
    try:
        await until(lambda: moved(world, org), within=30)
        [(streams, names)] = await world.sql(
            "select count(*), count(*) filter (where name like 'Synthetic %%' and stream_type = 'synthetic load') "
            "from streams where org_id = %s",
            org,
        )
        assert streams == names >= 10
        assert process.stdout is not None
        line = ""
        while not (match := re.search(r"changes, (\d+) per second", line)):
            line = (await asyncio.wait_for(process.stdout.readline(), deadline(20))).decode()
        assert 100 < int(match[1]) < 400
        process.send_signal(signal.SIGINT)
        output, _ = await asyncio.wait_for(process.communicate(), deadline(20))
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0
    assert output.decode().endswith("The synthetic streams are deleted.\n")
    assert await world.sql("select count(*) from streams where org_id = %s", org) == [(0,)]


async def moved(world: World, org: object) -> bool:
    [(done,)] = await world.sql("select coalesce(sum(completed), 0) from streams where org_id = %s", org)
    return bool(done)


def test_without_a_command_the_app_is_served() -> None:
    assert arguments_of([]).command == "serve"


@pytest.mark.parametrize("given", [["demo", "--load", "0"], ["demo", "--streams", "0"], ["dance"]])
def test_a_command_line_of_no_use_is_refused(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments_of(given)
    assert given[-1] in capsys.readouterr().err
