"""What a release demands."""

from pathlib import Path

import pytest

from tests.release import problems

PACKAGES = ["pyproject.toml", "sdk/pyproject.toml", "local_supabase/pyproject.toml"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in PACKAGES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('[project]\nversion = "0.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## 0.2.0 - 2026-12-01\n")
    return tmp_path


def test_a_project_that_is_ready_has_no_problems(project: Path) -> None:
    assert problems("0.2.0", root=project, today="2026-12-01") == []


@pytest.mark.parametrize("version", ["", "0.2", "v0.2.0", "0.2.0\n", "../0.2.0"])
def test_what_is_no_version_is_named(project: Path, version: str) -> None:
    (problem,) = problems(version, root=project)
    assert repr(version) in problem


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_of_another_version_is_named(project: Path, name: str) -> None:
    (project / name).write_text('[project]\nversion = "0.1.0"\n')
    assert problems("0.2.0", root=project, today="2026-12-01") == [f"{name} has version 0.1.0; set 0.2.0."]


@pytest.mark.parametrize("heading", ["## Unreleased", "## 0.2.0 - 2026-11-30", "## 0.2.0"])
def test_a_changelog_without_the_version_of_today_is_named(project: Path, heading: str) -> None:
    (project / "CHANGELOG.md").write_text(f"# Changelog\n\n{heading}\n")
    (problem,) = problems("0.2.0", root=project, today="2026-12-01")
    assert problem.startswith('CHANGELOG.md has no section "## 0.2.0 - 2026-12-01"')
