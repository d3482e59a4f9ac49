"""The commands beside the app: check, migrate and demo. Each returns its exit code and speaks to the console."""

import asyncio
import os
import signal
from contextlib import suppress

from pydantic import SecretStr

from services.auth.client import Auth
from services.demo.demo import Demo
from services.errors import ConfigurationError
from services.infra.backend import Account, Backend, open_backend
from services.infra.database import Database
from services.operations.check import CheckStatus, check
from services.operations.migrations import migrate
from services.operations.synthetic_load import Load, SyntheticLoad, writable_organization
from services.settings import Settings

SYMBOLS = {CheckStatus.GOOD: "ok     ", CheckStatus.BAD: "FAILED ", CheckStatus.SKIPPED: "skipped"}


async def check_command(settings: Settings) -> int:
    """Print a line for each finding, and what to do below each that is not good; 1 when something is not."""
    failed = 0
    async with open_backend(settings, report=_say, joins=True) as backend:
        async for finding in check(backend, feed=settings.feed, account=_account(settings, backend)):
            print(f"{SYMBOLS[finding.verdict]}  {finding.name}: {finding.message}", flush=True)
            if finding.hint:
                print(f"         -> {finding.hint}", flush=True)
            failed += finding.verdict is CheckStatus.BAD
    print(f"{failed} of these must be put right." if failed else "Everything is as it must be.")
    return 1 if failed else 0


async def migrate_command(settings: Settings) -> int:
    """Apply what is missing to the project's database; the local Supabase does so by itself at each start.

    The URL of the tables' owner and the password for the app's role come from the environment, since a command line
    can be seen by everybody on the machine.
    """
    if settings.is_embedded:
        async with open_backend(settings, report=_say, joins=True):
            print("The local Supabase applies its migrations when it starts; nothing is left to do.")
        return 0
    if not (url := os.environ.get("MIGRATE_DATABASE_URL")):
        raise ConfigurationError(
            "MIGRATE_DATABASE_URL is not set: give the connection string of the role postgres, which owns the tables. "
            "It is under Connect in the project."
        )
    password = os.environ.get("LIVEWATCH_APP_PASSWORD")
    applied = await migrate(SecretStr(url), app_password=SecretStr(password) if password else None)
    for name in applied:
        print(f"applied  {name}")
    print(f"{len(applied)} migrations were applied." if applied else "Every migration was there already.")
    if password:
        print("The role livewatch_app has the password of LIVEWATCH_APP_PASSWORD.")
    return 0


async def demo_command(settings: Settings, load: Load) -> int:
    """Write a synthetic load until Ctrl-C, as the demo's user or the one that the settings name."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    async with open_backend(settings, report=_say, joins=True) as backend:
        account = _account(settings, backend)
        if account is None:
            raise ConfigurationError("Set LIVEWATCH_EMAIL and LIVEWATCH_PASSWORD to a user who may write.")
        async with (
            Auth(url=backend.api_url, key=backend.anon_key) as auth,
            Database(backend.database_url, pool_size=2) as database,
        ):
            # Entering as the demo does also makes its organisation, where the app itself never ran.
            identity = (await Demo(account, auth=auth, database=database).enter()).identity
            org_id = await writable_organization(database, identity)
            with suppress(asyncio.CancelledError):
                await SyntheticLoad(database, identity, org_id, load).run(_say)
    print("The synthetic streams are deleted.")
    return 0


def _account(settings: Settings, backend: Backend) -> Account | None:
    if settings.email and settings.password:
        return Account(email=settings.email, password=settings.password)
    return backend.demo


def _say(line: str) -> None:
    print(line, flush=True)
