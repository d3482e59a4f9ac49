"""The commands of main.py, run as processes."""

import asyncio
import io
import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import count

import pytest

from services.errors import DatabaseFull, LivewatchError
from services.infra.postgres.batches import BatchSize
from services.operations.command_line import arguments_of
from services.operations.progress_line import ProgressLine
from services.operations.synthetic_load import Load, SyntheticLoad
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


async def test_a_load_that_was_killed_is_cleaned_up_at_the_next_start_with_progress(world: World) -> None:
    """Streams as after `kill -9`, more than one statement may delete; where output is no terminal, too."""
    org = await world.organization()
    ada = await world.person(org)
    kept = await world.sql("insert into streams (org_id, name) values (%s, 'Mine') returning id", org)
    process = await start(as_person(world, ada), "demo", "--load", "20", "--streams", "1200")
    await until(lambda: moved(world, org), within=60)
    process.kill()
    await process.communicate()
    [(left,)] = await world.sql("select count(*) from streams where org_id = %s and name <> 'Mine'", org)
    assert left >= 1200
    process = await start(as_person(world, ada), "demo", "--load", "20", "--streams", "5")
    assert process.stdout is not None
    seen = ""
    while "press Ctrl-C" not in seen:
        seen += (await asyncio.wait_for(process.stdout.readline(), deadline(60))).decode()
    assert f"Deleted {left:,} synthetic streams that an earlier load had left." in seen
    assert [row[0] for row in await world.sql("select id from streams where org_id = %s and name = 'Mine'", org)] == [
        row[0] for row in kept
    ]
    process.send_signal(signal.SIGTERM)
    output, _ = await asyncio.wait_for(process.communicate(), deadline(30))
    assert output.decode().endswith("The synthetic streams are deleted.\n")
    assert await world.sql("select name from streams where org_id = %s", org) == [("Mine",)]


async def test_a_clean_up_that_fails_says_how_far_it_came(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    org = await world.organization()
    ada = await world.person(org)
    await world.sql(
        "insert into streams (org_id, name, stream_type) select %s, 'x', 'synthetic load' from generate_series(1, 250)",
        org,
    )
    out = io.StringIO()
    progress = ProgressLine(out, clock=count(0, 6).__next__)
    load = SyntheticLoad(world.database, ada.identity, org, Load(rate=1, streams=1), progress=progress)
    batches: Iterator[int | LivewatchError] = iter([100, 100, DatabaseFull("The disk of PostgreSQL is full.")])

    async def run(self: BatchSize, write: object) -> int:
        if isinstance(result := next(batches), LivewatchError):
            raise result
        return result

    monkeypatch.setattr(BatchSize, "run", run)
    with pytest.raises(LivewatchError, match=r"200 of 250 .* disk of PostgreSQL is full\. The next start"):
        await load.clear()
    assert "Deleting synthetic streams: 100 of 250\n" in out.getvalue()


def test_progress_is_written_over_on_a_terminal_and_is_rare_elsewhere() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    outputs = []
    for stream in (Terminal(), io.StringIO()):
        times = [0.0]
        line = ProgressLine(stream, clock=partial(times.__getitem__, -1))
        for step in range(120):
            times.append(step / 10)
            line.show(f"{step} of 120")
        line.print("Done")
        outputs.append(stream.getvalue())
    assert outputs[0].count("\r\x1b[K") > 30
    assert outputs[0].endswith("\r\x1b[KDone\n")
    assert outputs[0].count("\n") == 1
    assert outputs[1] == "50 of 120\n100 of 120\nDone\n"


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
