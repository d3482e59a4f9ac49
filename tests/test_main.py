"""Functions of main.py that need no server."""

from pathlib import Path

import pytest

from main import main


def test_a_command_that_fails_names_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIVEWATCH_PORT", "70000")
    assert main(["check"]) == 1
    assert capsys.readouterr().err.startswith("The command failed: Invalid settings: LIVEWATCH_PORT")
    assert main([]) == 1
    assert capsys.readouterr().err.startswith("Livewatch could not start: Invalid settings: LIVEWATCH_PORT")
