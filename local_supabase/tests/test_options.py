"""Options that are not valid, and what is printed: in a process of its own, as a person starts it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from local_supabase.child import Options, environment
from local_supabase.errors import DataDirectoryError, StartError
from local_supabase.process import LocalSupabase
from local_supabase.status import LocalSupabaseStatus
from local_supabase.sync_process import running
from local_supabase.tests.speed import deadline

pytestmark = [pytest.mark.integration, pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")]


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="local-supabase-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@contextmanager
def start(data: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run the program; whatever happens, it has ended afterwards."""
    command = [sys.executable, "-P", "-m", "local_supabase", "--data", str(data), "--port", "0", *arguments]
    variables = environment(Options(data=data))
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=variables
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return "".join(lines)
    raise AssertionError("".join(lines))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "99999"], "port cannot be 99999"),
        (["--port", "-1"], "port cannot be -1"),
        (["--limit", "connections=nan"], "'connections' cannot be nan"),
        (["--limit", "connections=inf"], "'connections' cannot be inf"),
        (["--limit", "connections=-1"], "'connections' cannot be -1"),
        (["--limit", "connections=1.5"], "whole number"),
        (["--limit", "payload=1e300"], "'payload' cannot be 1e+300"),
        (["--limit", "nothing=1"], "no limit 'nothing'"),
        (["--limit", "connections"], "is not NAME=VALUE"),
        (["--limit", "connections=many"], "is not NAME=VALUE"),
        (["--token-lifetime", "-5"], "token lifetime cannot be -5"),
        (["--token-lifetime", "0"], "token lifetime cannot be 0"),
        (["--token-lifetime", "99999999999999"], "token lifetime cannot be"),
        (["--user", "somebody"], "user cannot be somebody"),
        (["--site-url", "localhost"], "site URL cannot be localhost"),
        (["--migrations", "/nowhere/at/all"], "migrations folder /nowhere/at/all does not exist"),
        (["--mail-link", "{{ .SiteURL }}/{{ .Data }}"], "mail link has no value for 'Data'"),
        (["--jwt-secret-file", "/nowhere/at/all"], "JWT secret cannot be read"),
        (["--host", "no.such.host.invalid"], "Cannot listen on no.such.host.invalid"),
    ],
)
def test_an_option_that_is_not_valid_is_named_before_anything_starts(
    folder: Path, arguments: list[str], said: str
) -> None:
    with start(folder / "data", *arguments) as process:
        output, _ = process.communicate(timeout=deadline(10))
    assert process.returncode in (1, 2)
    assert said in output
    assert "Traceback" not in output
    assert not (folder / "data" / "postgres").exists()


async def test_a_parent_gets_the_same_sentence(folder: Path) -> None:
    with pytest.raises(StartError, match="port cannot be 99999"):
        async with LocalSupabase.start(data=folder / "data", port=99999):
            pass


async def test_a_wrong_mail_server_is_refused_without_its_password(folder: Path) -> None:
    with pytest.raises(StartError, match=r"LOCAL_SUPABASE_SMTP_URL is not .*: from is not an address") as refusal:
        async with LocalSupabase.start(data=folder / "data", smtp_url="smtp://user:s3cr3t@mail.example.org"):
            pass
    assert "s3cr3t" not in str(refusal.value)
    assert not (folder / "data" / "postgres").exists()


@pytest.mark.parametrize("shown", [False, True])
def test_keys_are_printed_where_they_were_asked_for(folder: Path, shown: bool) -> None:
    options = ["--show-keys"] if shown else []
    with start(folder / "data", "--user", "demo@example.com", *options) as process:
        output = read_until(process, "password" if shown else "keys")
        secrets = json.loads((folder / "data" / "secrets.json").read_text())
        process.send_signal(signal.SIGTERM)
        output += process.communicate(timeout=deadline(20))[0]
    assert "API URL: http://127.0.0.1:" in output
    printed = {name for name, secret in secrets.items() if secret in output}
    assert printed == ({"owner_password", "anon_key", "service_role_key", "demo_password"} if shown else set())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("moment", ["postgres.new", "postgres.new/base/1", "postgres/postmaster.pid"])
def test_a_start_is_given_up_at_once_and_the_next_one_succeeds(
    folder: Path, number: signal.Signals, moment: str
) -> None:
    data = folder / "data"
    with start(data) as process:
        wait_for(data / moment, process)
        process.send_signal(number)
        began = time.monotonic()
        output, _ = process.communicate(timeout=deadline(20))
        assert time.monotonic() - began < deadline(3)
    assert process.returncode == 0, output
    assert "Traceback" not in output
    assert "Auth ready" not in output, "the start did not go on"
    with start(data) as process:
        assert "API URL" in read_until(process, "API URL")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=deadline(20))


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    while not path.exists():
        assert process.poll() is None, f"{path} was not made"
        time.sleep(0.001)


async def test_the_status_says_only_what_is_true(folder: Path) -> None:
    data = folder / "data"
    with start(data) as process:
        read_until(process, "API URL")
        assert LocalSupabaseStatus.read(data).pid == process.pid
        process.kill()
        process.wait()
    with pytest.raises(DataDirectoryError, match=rf"out of date, its process \(pid {process.pid}\) has ended"):
        LocalSupabaseStatus.read(data)
    with start(data) as process:
        read_until(process, "PostgreSQL")
        assert not (data / "status.json").exists()
        read_until(process, "API URL")
        assert LocalSupabaseStatus.read(data).pid == process.pid
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=deadline(20))
    with pytest.raises(DataDirectoryError, match="cannot be read: start the local Supabase first"):
        LocalSupabaseStatus.read(data)


def test_applied_migrations_that_are_gone_are_named(folder: Path) -> None:
    migrations = folder / "migrations"
    migrations.mkdir()
    (migrations / "20260101000000_first.sql").write_text("create table a (id int)")
    for expected in (False, True):
        with start(folder / "data", "--migrations", str(migrations)) as process:
            output = read_until(process, "API URL")
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=deadline(20))
        assert ("does not hold (20260101000000_first): restore" in output) is expected
        (migrations / "20260101000000_first.sql").unlink(missing_ok=True)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root starts what a user has made")
def test_data_of_an_ordinary_user_stays_theirs_when_root_starts_it(folder: Path) -> None:
    data, uid = folder / "data", 65534
    data.mkdir()
    os.chown(data, uid, uid)
    folder.chmod(0o755)
    with running(Options(data=data)):
        pass
    owners = {path.name: path.lstat().st_uid for path in data.rglob("*")}
    assert owners
    assert set(owners.values()) == {uid}, {name for name, owner in owners.items() if owner != uid}
