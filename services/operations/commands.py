"""The commands `check`, `migrate` and `demo`; each prints to the console and returns its exit code."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from uuid import UUID

from pydantic import SecretStr

from services.auth.client import Auth
from services.auth.identity import Identity
from services.demo.demo import Demo
from services.errors import ConfigurationError
from services.infra.backend import Account, Backend, open_backend
from services.infra.database import Database
from services.operations.check import CheckStatus, check
from services.operations.migrations import migrate
from services.operations.progress_line import ProgressLine
from services.operations.synthetic_load import Load, SyntheticLoad, writable_organization
from services.settings import Settings

SYMBOLS = {CheckStatus.GOOD: "ok     ", CheckStatus.BAD: "FAILED ", CheckStatus.SKIPPED: "skipped"}


async def check_command(settings: Settings) -> int:
    """Verify the project and print a line per check, with a fix for each problem; returns 1 if a check failed."""
    failed = 0
    async with open_backend(settings, report=_print_line, joins=True) as backend:
        async for result in check(backend, feed=settings.feed, account=_account(settings, backend)):
            print(f"{SYMBOLS[result.status]}  {result.name}: {result.message}", flush=True)
            if result.hint:
                print(f"         -> {result.hint}", flush=True)
            failed += result.status is CheckStatus.BAD
    checks = "check" if failed == 1 else "checks"
    print(f"{failed} {checks} failed. Apply the fixes above." if failed else "All checks passed.")
    return 1 if failed else 0


async def migrate_command(settings: Settings) -> int:
    """Apply missing migrations to the project's database; the local Supabase applies them at each start.

    The owner's URL and the password for the app's role are read from the environment, because command lines are
    visible to all users of the machine.
    """
    if settings.is_embedded:
        async with open_backend(settings, report=_print_line, joins=True):
            print("The local Supabase applies its migrations when it starts; there is nothing to do.")
        return 0
    if not (url := os.environ.get("MIGRATE_DATABASE_URL")):
        raise ConfigurationError(
            "MIGRATE_DATABASE_URL is not set. Set it to the connection string of the role postgres, which owns the "
            "tables; it is under Connect in the project."
        )
    password = os.environ.get("LIVEWATCH_APP_PASSWORD")
    applied = await migrate(SecretStr(url), app_password=SecretStr(password) if password else None)
    for name in applied:
        print(f"applied  {name}")
    print(f"Migrations applied: {len(applied)}." if applied else "The database is up to date.")
    if password:
        print("The password of the role livewatch_app was set to LIVEWATCH_APP_PASSWORD.")
    return 0


async def demo_command(settings: Settings, load: Load) -> int:
    """Write a synthetic load until Ctrl-C, as the user in the settings or else the demo user."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    async with open_backend(settings, report=_print_line, joins=True) as backend:
        account = _account(settings, backend)
        if account is None:
            raise ConfigurationError(
                "No user is configured. Set LIVEWATCH_EMAIL and LIVEWATCH_PASSWORD to a user who may write."
            )
        async with (
            Auth(url=backend.api_url, key=backend.anon_key) as auth,
            Database(backend.database_url, pool_size=2) as database,
        ):
            # Signing in as the demo also creates its organisation, in case the app has never run.
            identity = (await Demo(account, auth=auth, database=database).enter()).identity
            org_id = await writable_organization(database, identity)
            await _write_load(database, identity, org_id, load)
    return 0


async def _write_load(database: Database, identity: Identity, org_id: UUID, load: Load) -> None:
    """Write a load until this task is cancelled; delete what an earlier one left, and then its own streams."""
    progress = ProgressLine(sys.stdout)
    synthetic = SyntheticLoad(database, identity, org_id, load, progress=progress)
    try:
        with suppress(asyncio.CancelledError):
            if left := await synthetic.clear():
                progress.print(f"Deleted {left:,} synthetic streams that an earlier load had left.")
            await synthetic.run()
    finally:
        progress.print("Deleting the synthetic streams")
        try:
            await synthetic.clear()
        except asyncio.CancelledError:
            progress.print("Interrupted: some synthetic streams are left. The next start of this command deletes them.")
            raise
    progress.print("The synthetic streams are deleted.")


def _account(settings: Settings, backend: Backend) -> Account | None:
    if settings.email and settings.password:
        return Account(email=settings.email, password=settings.password)
    return backend.demo


def _print_line(line: str) -> None:
    print(line, flush=True)
