"""Printed failures of this test suite."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PLUGIN = 'pytest_plugins = ["tests.failures"]\n'
LOUD = """
import logging, pytest

def below(left):
    if left:
        below(left - 1)
    for n in range(10_000):
        logging.getLogger("app").warning("logged %s", n)
        print("printed", n)
    assert list(range(10_000)) == list(range(1, 10_001)), "\\n".join("because" for _ in range(1_000))

def test_before():
    for n in range(1_000):
        logging.getLogger("app").warning("of another test %s", n)

@pytest.fixture
def loud_end():
    yield
    for n in range(1_000):
        logging.getLogger("app").warning("of the end %s", n)

def test_loud(loud_end):
    local = ["a local"] * 1_000
    below(50)
"""
HANGING = """
import asyncio, time, pytest

@pytest.mark.timeout(1)
def test_sync():
    time.sleep(60)

async def test_after():
    await asyncio.sleep(0)
"""


def printed(tmp_path: Path, code: str, *options: str) -> list[str]:
    """Run pytest with this suite's configuration and plugin; returns its output."""
    (tmp_path / "conftest.py").write_text(PLUGIN)
    (tmp_path / "test_it.py").write_text(code)
    config = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path)]
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", *config, *options, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1, answer.stdout + answer.stderr
    return answer.stdout.splitlines()


@pytest.mark.parametrize("options", [[], ["-n", "1"]], ids=["here", "in a worker"])
def test_a_failure_with_ten_thousand_log_lines_prints_sixty_lines_at_most(tmp_path: Path, options: list[str]) -> None:
    lines = printed(tmp_path, LOUD, *options)
    assert len(lines) <= 60
    text = "\n".join(lines)
    assert "AssertionError: because" in text
    assert "logged 9999" in text
    assert "of another test" not in text
    assert "a local" not in text
    assert max(map(len, lines)) <= 320


def test_a_module_that_cannot_be_imported_prints_sixty_lines_at_most(tmp_path: Path) -> None:
    lines = printed(tmp_path, "def below(n):\n    below(n + 1)\nbelow(0)\n" + LOUD, "--continue-on-collection-errors")
    assert len(lines) <= 120, "of two failures"
    assert any("RecursionError" in line for line in lines)


def test_a_test_that_hangs_fails_by_itself_and_the_next_one_runs(tmp_path: Path) -> None:
    lines = printed(tmp_path, HANGING)
    assert any("Timeout (>1.0s)" in line for line in lines)
    assert lines[-1].startswith("1 failed, 1 passed")
