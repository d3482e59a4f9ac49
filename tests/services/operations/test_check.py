"""`check` detects each problem of a project and prints a fix."""

import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
from pydantic import SecretStr

from services.auth.identity import Identity
from services.feed_kind import FeedKind
from services.infra.backend import Account, Backend
from services.operations.check import CheckResult, CheckStatus, check
from tests.world import World

pytestmark = pytest.mark.integration


def backend(world: World) -> Backend:
    assert world.status.app_database_url
    return Backend(
        api_url=world.status.api_url,
        anon_key=world.status.anon_key,
        database_url=world.status.app_database_url,
        demo=None,
    )


async def findings(
    given: Backend, *, feed: FeedKind = FeedKind.BROADCAST, account: Account | None = None
) -> dict[str, CheckResult]:
    return {finding.name: finding async for finding in check(given, feed=feed, account=account)}


def failed(found: dict[str, CheckResult]) -> CheckResult:
    """Return the single failed check, which has a hint."""
    (bad,) = [finding for finding in found.values() if finding.status is CheckStatus.BAD]
    assert bad.hint
    return bad


@pytest.mark.parametrize("feed", list(FeedKind))
async def test_all_is_well_with_the_local_one_and_a_probe_comes_back(world: World, feed: FeedKind) -> None:
    ada = await world.person(await world.organization())
    account = Account(email=ada.email, password=SecretStr(ada.password))
    found = await findings(backend(world), feed=feed, account=account)
    assert {finding.status for finding in found.values()} == {CheckStatus.GOOD}, found
    assert len(found) == 10 - (feed is FeedKind.POSTGRES_CHANGES)
    assert "came back in" in found["Probe"].message
    assert "ES256" in found["Token signing"].message


async def test_without_somebody_to_sign_in_the_probe_is_skipped_and_said_so(world: World) -> None:
    found = await findings(backend(world))
    assert found["Probe"].status is CheckStatus.SKIPPED
    assert "LIVEWATCH_EMAIL" in found["Probe"].hint


async def test_an_address_where_nobody_answers_is_named(world: World) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        found = await findings(replace(backend(world), api_url=url))
    assert url in failed(found).message
    assert "SUPABASE_URL" in failed(found).hint
    assert found["Migrations"].status is CheckStatus.GOOD


async def test_a_key_of_another_project_is_refused(world: World) -> None:
    key = jwt.encode({"role": "anon", "iss": "elsewhere"}, "another project's secret, of some length", "HS256")
    found = await findings(replace(backend(world), anon_key=SecretStr(key)))
    assert failed(found).name == "Key"
    assert key not in str(found)


async def test_a_role_above_row_level_security_is_refused(world: World) -> None:
    found = await findings(replace(backend(world), database_url=world.status.database_url))
    assert failed(found).name == "Database role"
    assert "livewatch_app" in failed(found).hint


async def test_a_database_that_cannot_be_reached_is_told_without_its_password(world: World) -> None:
    url = SecretStr("postgresql://livewatch_app:hush@127.0.0.1:1/postgres")
    found = await findings(replace(backend(world), database_url=url))
    assert failed(found).name == "Database"
    assert "hush" not in str(found)
    assert "Migrations" not in found


async def test_a_url_that_is_none_is_told(world: World) -> None:
    found = await findings(replace(backend(world), database_url=SecretStr("nonsense")))
    assert failed(found).message.startswith("DATABASE_URL is not a PostgreSQL URL")


@asynccontextmanager
async def broken(world: World, break_it: str, mend_it: str) -> AsyncIterator[None]:
    await world.sql(break_it)
    try:
        yield
    finally:
        await world.sql(mend_it)


@pytest.mark.parametrize(
    ("name", "word", "break_it", "mend_it"),
    [
        (
            "Row-level security",
            "streams",
            "alter table streams disable row level security",
            "alter table streams enable row level security",
        ),
        (
            "Broadcast triggers",
            "signal_alerts",
            "alter table signal_alerts disable trigger broadcast_row",
            "alter table signal_alerts enable trigger broadcast_row",
        ),
        (
            "Publication",
            "notifications",
            "alter publication supabase_realtime drop table notifications",
            "alter publication supabase_realtime add table notifications",
        ),
        (
            "Migrations",
            "20261125000200_runs.sql",
            "update supabase_migrations.schema_migrations set version = 'was ' || version where name = 'runs'",
            "update supabase_migrations.schema_migrations set version = substr(version, 5) where name = 'runs'",
        ),
        (
            "Realtime policies",
            "realtime.messages",
            'alter policy "livewatch: members listen to their topics" on realtime.messages rename to "another"',
            'alter policy "another" on realtime.messages rename to "livewatch: members listen to their topics"',
        ),
    ],
)
async def test_what_somebody_changed_in_the_database_is_found(
    world: World, name: str, word: str, break_it: str, mend_it: str
) -> None:
    async with broken(world, break_it, mend_it):
        found = await findings(backend(world))
    assert failed(found).name == name
    assert word in failed(found).message
    assert not [each for each in (await findings(backend(world))).values() if each.status is CheckStatus.BAD]


async def test_a_project_with_the_legacy_secret_has_no_public_keys_and_that_is_well(world: World) -> None:
    with a_project_of_old() as url:
        found = await findings(replace(backend(world), api_url=url))
    assert found["Token signing"].status is CheckStatus.GOOD
    assert "HS256" in found["Token signing"].message


def test_a_token_of_the_legacy_secret_says_who_somebody_is() -> None:
    claims = {"sub": "0b3e7b0e-6a51-4a57-9d0f-3f2ad5ba6dd2", "email": "ada@example.org", "session_id": "s", "exp": 2e9}
    identity = Identity.from_token(jwt.encode(claims, "a legacy secret of some length, as projects had", "HS256"))
    assert (str(identity.user_id), identity.email) == (claims["sub"], claims["email"])


class ProjectOfOld(BaseHTTPRequestHandler):
    """Auth routes of a project that signs with a shared secret."""

    def do_GET(self) -> None:
        body = b'{"keys": []}' if self.path.endswith("jwks.json") else b"{}"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Suppress the log."""


@contextmanager
def a_project_of_old() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), ProjectOfOld) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()
