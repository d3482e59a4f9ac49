"""The example scan does what it says: real findings, reported as an ordinary member."""

import asyncio
import sys
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path

import pytest

from examples.inspect_packages import Findings, compile_sources, installed, measure, read_metadata, signals, verify
from examples.scan_packages import Credentials, scan
from services.errors import LivewatchError
from services.models import Role
from tests.world import World


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


@pytest.mark.integration
async def test_a_scan_reports_a_stream_a_scan_its_agents_and_a_message(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    assert world.status.app_database_url
    credentials = Credentials(database_url=world.status.app_database_url, access_token=ada.tokens.access_token)
    await scan(credentials, limit=5)
    assert await world.sql("select goal_status, completed, total from streams where org_id = %s", org) == [
        ("completed", 5, 5)
    ]
    assert await world.sql(
        "select status, progress_percentage, targets_identified, targets_analyzed, error from acquisition_scans "
        "where org_id = %s and completed_at > started_at",
        org,
    ) == [("completed", 100.0, 5, 5, None)]
    runs = await world.sql(
        "select status, duration_ms, output_summary from agent_executions where org_id = %s order by 1", org
    )
    assert [status for status, _, _ in runs] == ["completed"] * 5
    assert all(duration is not None and "files" in summary for _, duration, summary in runs)
    assert len(await world.sql("select 1 from notifications where user_id = %s", ada.id)) == 1


@pytest.mark.integration
async def test_a_viewer_cannot_run_a_scan(world: World) -> None:
    viewer = await world.person(await world.organization(), role=Role.VIEWER)
    assert world.status.app_database_url
    credentials = Credentials(database_url=world.status.app_database_url, access_token=viewer.tokens.access_token)
    with pytest.raises(LivewatchError, match="may not write"):
        await scan(credentials, limit=1)


@pytest.mark.integration
async def test_from_a_terminal_it_runs_as_the_demo_user_and_says_what_is_missing(world: World, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "examples.scan_packages", "--limit", "1", "--data"]
    process = await asyncio.create_subprocess_exec(*command, str(tmp_path), stderr=asyncio.subprocess.PIPE)
    _, error = await process.communicate()
    assert process.returncode == 1
    assert b"Start the app first" in error
    process = await asyncio.create_subprocess_exec(*command, str(world.data), stderr=asyncio.subprocess.PIPE)
    _, error = await process.communicate()
    assert process.returncode == 1
    assert b"may not write in any organisation" in error, "the demo user of this world has none yet"
