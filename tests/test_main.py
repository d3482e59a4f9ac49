"""Functions of main.py that need no server."""

from pathlib import Path

import pytest

from main import kept_secret, main


def test_the_cookie_secret_is_made_once_and_is_for_the_owner_alone(tmp_path: Path) -> None:
    first = kept_secret(tmp_path / "data" / "cookie_secret")
    assert kept_secret(tmp_path / "data" / "cookie_secret") == first
    assert len(first.get_secret_value()) >= 48
    assert (tmp_path / "data" / "cookie_secret").stat().st_mode & 0o777 == 0o600
    assert first.get_secret_value() not in repr(first)


def test_a_command_that_fails_names_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIVEWATCH_PORT", "70000")
    assert main(["check"]) == 1
    assert capsys.readouterr().err.startswith("The command failed: Invalid settings: LIVEWATCH_PORT")
    assert main([]) == 1
    assert capsys.readouterr().err.startswith("Livewatch could not start: Invalid settings: LIVEWATCH_PORT")
