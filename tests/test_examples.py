"""The example scan does what it says: real findings, reported as any program reports."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from examples.inspect_packages import Findings, compile_sources, installed, measure, read_metadata, signals, verify
from services.demo.example_scan import ROOT, ExampleScan
from services.errors import LivewatchError, PermissionDenied
from services.infra.rate_limiter import Rate
from services.ingest.administration import list_keys
from tests.pages.program import Program, a_program, application, served
from tests.speed import deadline
from tests.world import World, until


@pytest.fixture
def package(tmp_path: Path) -> Distribution:
    """A distribution on disk: no licence, one source that does not compile, one file altered since its installation."""
    (tmp_path / "good.py").write_text("x = 1\n")
    (tmp_path / "bad.py").write_text("def broken(:\n")
    info = tmp_path / "sample-1.0.dist-info"
    info.mkdir()
    info.joinpath("METADATA").write_text(
        "Metadata-Version: 2.1\nName: sample\nVersion: 1.0\nRequires-Dist: httpx\nRequires-Dist: rich; extra == 'cli'\n"
    )
    record = "good.py,sha256=AAAA,6\nbad.py,,13\nsample-1.0.dist-info/METADATA,,\ngone.py,sha256=BBBB,1\n"
    info.joinpath("RECORD").write_text(record)
    return PathDistribution(info)


def test_a_package_is_inspected_for_what_it_is(package: Distribution) -> None:
    findings = read_metadata(package)
    measure(package, findings)
    verify(package, findings)
    compile_sources(package, findings)
    assert (findings.name, findings.version, findings.licence) == ("sample", "1.0", None)
    assert findings.dependencies == ["httpx"]
    assert (findings.files, findings.sources) == (3, 2)
    assert findings.altered == ["good.py", "gone.py"]
    assert [line.split(":")[0] for line in findings.broken] == ["bad.py"]
    assert {signal.signal_type for signal in signals(findings)} == {
        "no licence",
        "files differ from their record",
        "sources do not compile",
    }


@pytest.mark.parametrize(
    ("findings", "signal_type", "strength"),
    [
        (Findings(name="a", version="1", licence="MIT", size=25 * 2**20), "unusually large", 55),
        (Findings(name="a", version="1", licence="MIT", size=90 * 2**20), "unusually large", 78),
        (Findings(name="a", version="1", licence="MIT", dependencies=["x"] * 20), "many dependencies", 58),
    ],
)
def test_a_finding_has_the_strength_of_its_weight(findings: Findings, signal_type: str, strength: int) -> None:
    ((signal),) = signals(findings)
    assert (signal.signal_type, signal.strength) == (signal_type, strength)


def test_a_sound_package_raises_nothing() -> None:
    assert signals(Findings(name="a", version="1", licence="MIT")) == []


def test_the_packages_of_this_environment_are_found_once_each() -> None:
    names = [distribution.name.lower() for distribution in installed()]
    assert "nicegui" in names
    assert names == sorted(set(names))


@pytest.fixture
async def program(world: World) -> AsyncIterator[Program]:
    """A key of a new organisation; the API is served over a real socket at `program.url`."""
    app = application(world, world.database, Rate(per_second=10_000, burst=10_000))
    async with served(app) as url, httpx.AsyncClient(base_url=url, timeout=deadline(10)) as http:
        yield await a_program(world, http)


async def run(*arguments: str, **variables: str) -> tuple[int | None, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LIVEWATCH_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "examples.scan_packages",
        *arguments,
        cwd=ROOT,
        env={**inherited, "LIVEWATCH_SPOOL": "off", "LIVEWATCH_CONFIG": "off", **variables},
        stderr=asyncio.subprocess.PIPE,
    )
    _, error = await asyncio.wait_for(process.communicate(), deadline(30))
    return process.returncode, error.decode()


@pytest.mark.integration
async def test_a_scan_reports_a_stream_a_scan_its_agents_and_a_message(world: World, program: Program) -> None:
    answer = await run("--limit", "5", LIVEWATCH_URL=program.url, LIVEWATCH_KEY=program.token)
    assert answer == (0, "")
    org = program.org
    assert await world.sql("select goal_status, completed, total, stream_type from streams where org_id = %s", org) == [
        ("completed", 5, 5, "package health")
    ]
    assert await world.sql(
        "select status, progress_percentage, targets_identified, targets_analyzed, error, jsonb_array_length(steps) "
        "from acquisition_scans where org_id = %s and completed_at > started_at",
        org,
    ) == [("completed", 100.0, 5, 5, None, 4)]
    runs = await world.sql(
        "select agent.status, duration_ms, output_summary, stream.stream_type from agent_executions as agent "
        "join streams as stream on stream.id = stream_id where agent.org_id = %s",
        org,
    )
    assert [(status, type) for status, _, _, type in runs] == [("completed", "package health")] * 5
    assert all(duration is not None and "files" in summary for _, duration, summary, _ in runs)
    notifications = await world.sql("select title from notifications where user_id = %s", program.admin.id)
    assert notifications == [("5 packages inspected",)]


@pytest.mark.integration
async def test_the_app_runs_it_with_a_key_of_its_own_and_its_end_is_told(world: World, program: Program) -> None:
    scan = ExampleScan(world.database, url=program.url)
    admin, org = program.admin.identity, program.org
    await scan.start(admin, org)
    with pytest.raises(LivewatchError, match="still running"):
        await scan.start(admin, org)

    def children() -> list[psutil.Process]:
        return [each for each in psutil.Process().children() if "examples.scan_packages" in each.cmdline()]

    await until(children, what="the program runs")
    (child,) = children()
    assert child.cmdline()[-2:] == ["examples.scan_packages", "--until-stdin-ends"]

    async def agents() -> list[Any]:
        return await world.sql("select status, error from agent_executions where org_id = %s", org)

    await until(agents, within=15)
    await scan.aclose()
    assert not child.is_running()
    assert await world.sql("select goal_status, error from streams where org_id = %s", org) == [
        ("blocked", "interrupted")
    ]
    assert await world.sql("select status, error from acquisition_scans where org_id = %s", org) == [
        ("failed", "interrupted")
    ]
    assert {status for status, _ in await agents()} <= {"completed", "cancelled"}, "none is left running"
    again = ExampleScan(world.database, url=program.url)
    await again.start(admin, org)
    await again.aclose()
    keys = [key for key in await list_keys(world.database, admin, org) if key.name == "Example scan"]
    assert [key.revoked_at is None for key in keys] == [True, False], "the one before is of no use any more"


@pytest.mark.integration
async def test_who_may_make_no_key_can_start_no_scan(world: World, program: Program) -> None:
    operator = await world.person(program.org)
    scan = ExampleScan(world.database, url=program.url)
    with pytest.raises(PermissionDenied, match="An admin of the organisation can change the role"):
        await scan.start(operator.identity, program.org)
    await scan.aclose()


async def test_from_a_terminal_it_says_what_is_missing() -> None:
    code, error = await run()
    assert code == 1
    assert "LIVEWATCH_URL and LIVEWATCH_KEY are not set: run `livewatch login URL`" in error
