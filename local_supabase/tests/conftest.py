"""Fixtures: one local Supabase per session; tests that stop or damage it start their own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest

from local_supabase.process import LocalSupabase
from local_supabase.tests.tools import MIGRATIONS, Tokens, admin_url, owner_of, tokens_of


@pytest.fixture(scope="session")
def data() -> Iterator[Path]:
    """Beside pytest's own folder, which every pytest session of root closes to the user of PostgreSQL."""
    with TemporaryDirectory(prefix="local-supabase-", ignore_cleanup_errors=True) as folder:
        yield Path(folder) / "a data directory"


@pytest.fixture(scope="session")
async def local(data: Path) -> AsyncIterator[LocalSupabase]:
    async with LocalSupabase.start(
        data=data, migrations=MIGRATIONS, user="demo@example.com", app_role="test_app"
    ) as running:
        yield running


@pytest.fixture(scope="session")
def tokens(local: LocalSupabase, data: Path) -> Tokens:
    return tokens_of(data)


@pytest.fixture(scope="session")
async def owner(local: LocalSupabase) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """A connection as `postgres`, the owner of the data."""
    async with owner_of(local) as connection:
        yield connection


@pytest.fixture(scope="session")
async def superuser(local: LocalSupabase, data: Path) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """A connection as the superuser, which may terminate the server's connections."""
    async with await psycopg.AsyncConnection.connect(admin_url(local, data), autocommit=True) as connection:
        yield connection
