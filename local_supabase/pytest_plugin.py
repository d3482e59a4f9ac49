"""pytest plugin: one local Supabase per test session, started on first use in a child process.

Enable it in the top-level `conftest.py`:

    pytest_plugins = ["local_supabase.pytest_plugin"]

Fixtures:

    local_supabase          (session) `LocalSupabaseStatus`: addresses and keys of the running instance
    local_supabase_client   official synchronous client with the anonymous key
    local_supabase_options  (session) `Options` of the instance; override it to add a user, a role or limits

Ini option:

    local_supabase_migrations   migrations folder, relative to the ini file

The fixtures need no event loop, so they serve synchronous and asyncio tests alike. Under pytest-xdist each worker
starts its own instance. The data directory is temporary.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from local_supabase.child import Options
from local_supabase.status import LocalSupabaseStatus
from local_supabase.sync_process import running

if TYPE_CHECKING:
    from supabase import Client

MIGRATIONS_OPTION = "local_supabase_migrations"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the ini option."""
    parser.addini(MIGRATIONS_OPTION, "migrations folder of the local Supabase, relative to the ini file", default="")


@pytest.fixture(scope="session")
def local_supabase_folder() -> Iterator[Path]:
    """A temporary folder beside pytest's own, which every pytest session of root closes to other users.

    PostgreSQL refuses to run as root, so its user must be able to reach the data meanwhile.
    """
    with TemporaryDirectory(prefix="local-supabase-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def local_supabase_options(pytestconfig: pytest.Config, local_supabase_folder: Path) -> Options:
    """Options of the session's instance: a temporary data directory and the configured migrations."""
    folder = str(pytestconfig.getini(MIGRATIONS_OPTION))
    base = pytestconfig.inipath.parent if pytestconfig.inipath else pytestconfig.rootpath
    return Options(data=local_supabase_folder / "data", migrations=base / folder if folder else None)


@pytest.fixture(scope="session")
def local_supabase(local_supabase_options: Options) -> Iterator[LocalSupabaseStatus]:
    """Addresses and keys of an instance that runs until the end of the session."""
    with running(local_supabase_options) as status:
        yield status


@pytest.fixture
def local_supabase_client(local_supabase: LocalSupabaseStatus) -> Iterator["Client"]:
    """An official synchronous client with the anonymous key; skips the test if `supabase` is not installed."""
    pytest.importorskip("supabase", reason="the fixture local_supabase_client needs the package supabase")
    from httpx import Client as HttpClient  # noqa: PLC0415 - a dependency of supabase

    from supabase import ClientOptions, create_client  # noqa: PLC0415

    with HttpClient() as http:
        options = ClientOptions(httpx_client=http, auto_refresh_token=False)
        yield create_client(local_supabase.api_url, local_supabase.anon_key.get_secret_value(), options)
