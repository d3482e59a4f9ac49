"""The environment of a program and its tags, as the server receives them."""

import importlib.metadata
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import livewatch
import pytest
from livewatch.delivery.operations import MAX_METADATA_CHARACTERS
from livewatch.reporting.environment import Environment, fitting, git_state, packages
from livewatch.reporting.secrets import masked_command, masked_url

from tests.sdk.api_server import ApiServer
from tests.sdk.conftest import Start
from tests.sdk.test_command import said
from tests.speed import deadline, wait_until

# A program whose run lasts until the server has its environment, and one that does not wait.
PATIENT = """
import livewatch, sys, time
from livewatch.reporting.environment import ENVIRONMENT
with livewatch.run("Import", slug="x"):
    assert ENVIRONMENT._capture.is_done.wait(60)
"""
HASTY = "import livewatch\nwith livewatch.run('Import', slug='x'): pass"


def environment_of(server: ApiServer, path: str = "/streams/x") -> dict[str, Any]:
    found: dict[str, Any] = server.state(path).get("environment", {})
    return found


def git(where: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *identity, *arguments], cwd=where, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    where = tmp_path / "repository"
    where.mkdir()
    git(where, "init")
    (where / "job.py").write_text(PATIENT)
    git(where, "add", ".")
    git(where, "commit", "-m", "Begin")
    git(where, "remote", "add", "origin", "https://ada:geheim@git.example.org/jobs.git?token=geheim")
    return where


def test_a_run_says_once_what_it_runs_in(server: ApiServer, start: Start, repository: Path) -> None:
    process = start(str(repository / "job.py"), "--password", LIVEWATCH_ENVIRONMENT="on", HIDDEN="of the environment")
    assert said(process)[0] == 0
    found = environment_of(server)
    assert found["host"] == socket.gethostname()
    assert found["command"] == str(repository / "job.py")
    assert found["python"].startswith(".".join(map(str, sys.version_info[:3])))
    assert found["packages"]["pytest"] == importlib.metadata.version("pytest")
    assert found["git"]["branch"] == "main"
    assert found["git"]["is_dirty"] is False
    assert found["git"]["remote"] == "https://git.example.org/jobs.git"
    assert "of the environment" not in json.dumps(server.requests)
    assert sum("environment" in write.body for write in server.writes) == 1


def test_a_program_that_ends_at_once_waits_for_nothing(server: ApiServer, start: Start) -> None:
    assert said(start(HASTY, LIVEWATCH_ENVIRONMENT="on"))[0] == 0
    assert server.state("/streams/x")["end"] == {"status": "completed"}
    assert environment_of(server).keys() <= {
        *("host", "user", "command", "platform", "python", "container", "git", "packages", "packages_left_out"),
    }


def test_an_environment_can_be_switched_off(server: ApiServer, start: Start) -> None:
    assert said(start(PATIENT, LIVEWATCH_ENVIRONMENT="off"))[0] == 0
    assert server.state("/streams/x")["end"] == {"status": "completed"}
    assert not environment_of(server)


def test_git_tells_commit_branch_and_changes(repository: Path, tmp_path: Path) -> None:
    state = git_state([str(tmp_path), str(repository)], deadline(60))
    assert len(state["commit"]) == 40
    assert state["is_dirty"] is False
    (repository / "job.py").write_text("changed")
    git(repository, "checkout", "--detach")
    changed = git_state([str(repository)], deadline(60))
    assert changed["is_dirty"] is True
    assert changed["commit"] == state["commit"]
    assert "branch" not in changed


def test_without_a_repository_a_commit_or_git_there_is_none(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "empty")
    assert git_state([str(tmp_path / "empty"), str(tmp_path / "gone")]) == {}
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state([str(repository)]) == {}


def test_a_git_that_does_not_end_costs_its_time_limit_alone(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "git"
    slow.write_text('#!/bin/sh\ncase "$*" in *status*) exec sleep 600;; *) echo abc;; esac\n')
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    began = time.monotonic()
    state = git_state([str(repository)], 1.0)
    assert time.monotonic() - began < deadline(30)
    assert state.get("commit") == "abc"
    assert "is_dirty" not in state


def test_packages_with_broken_metadata_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, content in (("good", b"Name: good\nVersion: 1.0\n"), ("bad", b"\xff\xfe\x00"), ("blank", b"")):
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_bytes(content)
    (tmp_path / "none-1.0.dist-info").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert packages() == {"good": "1.0"}


def test_an_environment_that_is_too_large_keeps_what_fits_and_counts_the_rest() -> None:
    content = fitting({"host": "w3", "packages": {f"package-{n}": "1.0.0" for n in range(2000)}})
    assert MAX_METADATA_CHARACTERS - 100 < len(json.dumps(content)) <= MAX_METADATA_CHARACTERS
    assert len(content["packages"]) + content["packages_left_out"] == 2000


@pytest.mark.parametrize(
    "words",
    [
        ["job", "--password", "geheim"],
        ["job", "--api-key=geheim und mehr"],
        ["env", "DB_PASSWORD=geheim", "job"],
        ["job", "-token", "geheim"],
        ["psql", "postgres://ada:geheim@db.example.org/jobs"],
        ["curl", "-u", "ada:geheim", "https://example.org"],
        ["curl", "https://example.org/x?token=geheim&page=2"],
        ["curl", "-H", "Authorization: Bearer geheim"],
        ["sh", "-c", "job --secret geheim; TOKEN='geheim' job"],
        ["job", "--KEY", "-geheim"],
    ],
)
def test_secrets_of_a_command_are_masked(words: list[str]) -> None:
    shown = masked_command(words)
    assert "geheim" not in shown
    assert "***" in shown
    assert shown.startswith(words[0])


def test_what_is_no_secret_stays_legible() -> None:
    words = ["python", "job.py", "--rows", "100", "two words", "https://example.org/a?page=2", "ada@example.org"]
    expected = "python job.py --rows 100 'two words' 'https://example.org/a?page=2' ada@example.org"
    assert masked_command(words) == expected
    assert masked_url("git@git.example.org:ada/jobs.git") == "git@git.example.org:ada/jobs.git"


def test_livewatch_run_tags_its_run_and_masks_its_command(server: ApiServer, start: Start) -> None:
    options = ("--slug", "x", "--tag", "nightly", "--tag", "eu west", "--quiet")
    command = (sys.executable, "-c", "import time; time.sleep(0.2)", "--token", "geheim")
    process = start("-m", "livewatch", "run", *options, "--", *command, LIVEWATCH_ENVIRONMENT="on")
    assert said(process)[0] == 0
    state = server.state("/streams/x")
    assert state["tags"] == ["nightly", "eu west"]
    assert state["environment"]["command"].endswith("--token ***")
    assert "geheim" not in json.dumps(server.requests)
    assert "packages" not in state["environment"], "those of livewatch are not those of the command"


def test_livewatch_run_refuses_what_is_no_tag(start: Start) -> None:
    code, _, errors = said(start("-m", "livewatch", "run", "--tag", "x" * 41, "--", "true"))
    assert code == 2
    assert "1 to 40 characters" in errors


def test_tags_add_up_and_bad_ones_are_left_out(reporting: ApiServer, caplog: pytest.LogCaptureFixture) -> None:
    with livewatch.run("Import", slug="x", tags=["nightly", "x" * 41]) as run:
        livewatch.flush()
        run.tag("eu", "nightly", 7)
        run.advance(3)
        run.tag("")
    livewatch.flush()
    state = reporting.state("/streams/x")
    assert state["tags"] == ["nightly", "eu", "7"]
    assert state["completed"] == 3
    assert "1 to 40 characters" in caplog.text


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_a_forked_process_takes_what_was_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEWATCH_ENVIRONMENT", "on")
    environment = Environment(["job"])
    environment.begin()
    wait_until(lambda: environment.take() is not None)
    captured = environment.take()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    environment.begin()
    assert environment.take() == captured
    assert captured
    assert captured["command"] == "job"


def test_livewatch_run_says_when_runs_of_its_job_are_expected(server: ApiServer, start: Start) -> None:
    expected = ("--expect", "0 2 * * *", "--tz", "Europe/Berlin", "--grace", "30m", "--max", "2h")
    assert said(start("-m", "livewatch", "run", "--slug", "x", "--quiet", *expected, "--", "true"))[0] == 0
    assert server.state("/streams/x")["schedule"] == {
        "expect": "0 2 * * *", "zone": "Europe/Berlin", "grace": "30m", "max": "2h",
    }  # fmt: skip
    code, _, errors = said(start("-m", "livewatch", "run", "--grace", "30m", "--", "true"))
    assert code == 2
    assert "belong to --expect" in errors
