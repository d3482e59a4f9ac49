"""The system account that PostgreSQL runs as."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local_supabase.errors import PostgresError
from local_supabase.postgres import installation
from local_supabase.postgres.installation import Account, ensure_account

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX accounts")

ACCOUNT = Account(name="pgserver", uid=1234, gid=1234)


@pytest.fixture
def failing_useradd(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of root whose `useradd` fails, as it does when another process holds the lock on /etc/passwd."""

    def fail(command: list[str], **options: object) -> None:
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(subprocess, "run", fail)


def accounts(monkeypatch: pytest.MonkeyPatch, *found: Account | None) -> None:
    answers = iter(found)
    monkeypatch.setattr(installation, "_find_account", lambda: next(answers))


@pytest.mark.usefixtures("failing_useradd")
def test_an_account_that_another_process_creates_meanwhile_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    accounts(monkeypatch, None, ACCOUNT)
    assert ensure_account(Path("/nowhere"), lambda sentence: None) == ACCOUNT


@pytest.mark.usefixtures("failing_useradd")
def test_an_account_that_cannot_be_created_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    accounts(monkeypatch, None, None)
    with pytest.raises(PostgresError, match="'pgserver' could not be created"):
        ensure_account(Path("/nowhere"), lambda sentence: None)
