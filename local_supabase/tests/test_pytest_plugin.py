"""The pytest plugin, in test sessions of its own."""

import os

import pytest

from local_supabase.tests.tools import ROOT

pytestmark = pytest.mark.integration

CONFTEST = 'pytest_plugins = ["local_supabase.pytest_plugin"]\n'
MIGRATION = "create table public.notes (id int primary key); insert into public.notes values (7);"


@pytest.fixture
def session(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project whose conftest enables the plugin."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeconftest(CONFTEST)
    return pytester


def run(session: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return session.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


def test_sync_and_asyncio_tests_share_an_instance_with_the_configured_migrations(session: pytest.Pytester) -> None:
    folder = session.path / "supabase" / "migrations"
    folder.mkdir(parents=True)
    (folder / "20260101000000_notes.sql").write_text(MIGRATION)
    session.makeini("[pytest]\nlocal_supabase_migrations = supabase/migrations\nasyncio_mode = auto\n")
    session.makepyfile(
        """
        import httpx, psycopg

        def test_sync(local_supabase):
            with psycopg.connect(local_supabase.database_url.get_secret_value()) as connection:
                assert connection.execute("select id from public.notes").fetchall() == [(7,)]
                connection.execute("insert into public.notes values (8)")

        async def test_asyncio(local_supabase):
            async with httpx.AsyncClient() as http:
                assert (await http.get(local_supabase.jwks_url)).json()["keys"]
            url = local_supabase.database_url.get_secret_value()
            async with await psycopg.AsyncConnection.connect(url) as connection:
                rows = await (await connection.execute("select id from public.notes order by id")).fetchall()
            assert rows == [(7,), (8,)], "the instance of the test before"
        """
    )
    run(session).assert_outcomes(passed=2)


def test_the_official_client_signs_up_and_in(session: pytest.Pytester) -> None:
    session.makepyfile(
        """
        def test_client(local_supabase_client):
            auth = local_supabase_client.auth
            credentials = {"email": "ann@example.com", "password": "correct horse"}
            assert auth.sign_up(credentials).user.email == "ann@example.com"
            assert auth.sign_in_with_password(credentials).session.access_token
        """
    )
    run(session).assert_outcomes(passed=1)


def test_overriding_the_options_changes_the_instance(session: pytest.Pytester) -> None:
    session.makeconftest(
        CONFTEST
        + """
from dataclasses import replace
import pytest

@pytest.fixture(scope="session")
def local_supabase_options(local_supabase_options):
    return replace(local_supabase_options, user="demo@example.com")
"""
    )
    session.makepyfile(
        """
        def test_user(local_supabase):
            assert local_supabase.demo_email == "demo@example.com"
            with open("pid", "w") as file:
                file.write(str(local_supabase.pid))
        """
    )
    run(session).assert_outcomes(passed=1)
    with pytest.raises(ProcessLookupError):
        os.kill(int((session.path / "pid").read_text()), 0)


def test_an_instance_that_cannot_start_fails_the_tests_with_the_reason(session: pytest.Pytester) -> None:
    session.makeini("[pytest]\nlocal_supabase_migrations = nowhere\n")
    session.makepyfile("def test_anything(local_supabase): pass")
    result = run(session)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*StartError: The migrations folder *nowhere does not exist*"])
