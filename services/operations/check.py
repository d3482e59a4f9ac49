"""Is everything as it must be: one finding for each thing that Livewatch needs, with what to do where it is not."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum

import httpx
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.auth.client import Auth, Tokens
from services.auth.identity import Identity
from services.entities import ENTITIES, NOTIFICATIONS, ConnectionStatus
from services.errors import AuthError, ConfigurationError, LivewatchError
from services.feed_kind import FeedKind
from services.infra.backend import Account, Backend
from services.infra.claims import Anonymous
from services.infra.database import Database
from services.operations.migrations import missing_migrations
from services.realtime import TRANSPORTS, DatabaseSource, RealtimeService

TIMEOUT = 10.0
PROBE_TIMEOUT = 20.0
TABLES = sorted({entity.table for entity in ENTITIES})

_UNPROTECTED = text("""
    select class.relname from pg_catalog.pg_class as class
    where class.relnamespace = 'public'::regnamespace and class.relkind in ('r', 'p') and class.relname = any (:tables)
        and (not class.relrowsecurity
             or not exists (select from pg_catalog.pg_policy as policy where policy.polrelid = class.oid))
""")
_UNPUBLISHED = text("""
    select name from unnest(cast(:tables as text[])) as name where not exists (
        select from pg_catalog.pg_publication_tables as published
        where published.pubname = 'supabase_realtime' and published.schemaname = 'public'
            and published.tablename = name)
""")
_SILENT = text("""
    select name from unnest(cast(:tables as text[])) as name where not exists (
        select from pg_catalog.pg_trigger as found
        where found.tgname = 'broadcast_row' and found.tgenabled <> 'D'
            and found.tgrelid = to_regclass('public.' || quote_ident(name)))
""")
_TOPIC_POLICIES = text("""
    select count(*) from pg_catalog.pg_policies
    where schemaname = 'realtime' and tablename = 'messages' and policyname like 'livewatch:%'
""")


class CheckStatus(StrEnum):
    """How a thing was found."""

    GOOD = "good"
    BAD = "bad"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One thing that was looked at; `hint` says what to do where it is not good."""

    name: str
    verdict: CheckStatus
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class _Subscriber:
    """Who holds the subscription that the probe travels on."""

    tokens: Tokens

    @property
    def identity(self) -> Identity:
        return self.tokens.identity


async def check(backend: Backend, *, feed: FeedKind, account: Account | None) -> AsyncIterator[CheckResult]:
    """Look at everything, from the address to a probe through Realtime and back; never raises for what it finds.

    Without an `account` the probe is skipped: Realtime lets nobody listen who is not signed in.
    """
    async for finding in _project(backend):
        yield finding
    try:
        database = Database(backend.database_url, pool_size=1)
    except ConfigurationError as error:
        yield _bad("Database", str(error), "Correct DATABASE_URL.")
        return
    async with database:
        answers = True
        async for finding in _database(database, feed):
            answers = answers and not (finding.name == "Database" and finding.verdict is CheckStatus.BAD)
            yield finding
        if account is None:
            yield CheckResult(
                name="Probe",
                verdict=CheckStatus.SKIPPED,
                message="No change was sent through Realtime and back, since nobody signed in.",
                hint="Set LIVEWATCH_EMAIL and LIVEWATCH_PASSWORD to a user of the project.",
            )
        elif answers:
            yield await _probe(backend, database, feed, account)


async def _project(backend: Backend) -> AsyncIterator[CheckResult]:
    """The address, the key and how tokens are signed."""
    key = backend.anon_key.get_secret_value()
    url = backend.api_url.rstrip("/")
    async with httpx.AsyncClient(timeout=TIMEOUT, headers={"apikey": key}) as http:
        try:
            answer = await http.get(f"{url}/auth/v1/settings")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            yield _bad(
                "Project URL",
                f"{url} does not answer: {_reason(error)}.",
                "Compare SUPABASE_URL with the project's under Settings → API. Restore the project if it is paused.",
            )
            return
        yield _good("Project URL", f"{url} answers.")
        if answer.status_code != httpx.codes.OK:
            yield _bad(
                "Key",
                f"The Auth server answers {answer.status_code} to the key of SUPABASE_ANON_KEY.",
                "Copy the anon or publishable key of this project from Settings → API keys.",
            )
            return
        yield _good("Key", "The Auth server takes the key.")
        try:
            answer = await http.get(f"{url}/auth/v1/.well-known/jwks.json")
            algorithms = sorted({str(each.get("alg")) for each in answer.json()["keys"]})
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
            yield _bad(
                "Token signing",
                f"The list of public keys cannot be read: {_reason(error)}.",
                "Look at the project's status; the address is /auth/v1/.well-known/jwks.json.",
            )
            return
        yield _good(
            "Token signing",
            f"Tokens are signed with {', '.join(algorithms)}."
            if algorithms
            else "Tokens are signed with HS256 (legacy).",
        )


async def _database(database: Database, feed: FeedKind) -> AsyncIterator[CheckResult]:
    """The role, the migrations, and what must come of them."""
    try:
        await database.verify()
    except ConfigurationError as error:
        yield _bad("Database role", str(error), "Set DATABASE_URL to log in as livewatch_app.")
    except LivewatchError as error:
        cause = error.__cause__
        yield _bad(
            "Database",
            f"{str(error).split('.')[0]}: {_reason(getattr(cause, 'orig', None) or cause or error)}.",
            "Compare DATABASE_URL with the connection string under Connect. The user is livewatch_app; "
            "`python main.py migrate` gives it a password.",
        )
        return
    else:
        yield _good("Database role", "The role of DATABASE_URL cannot pass row-level security by.")
    try:
        missing = await missing_migrations(database)
    except (LivewatchError, DBAPIError) as error:
        yield _bad(
            "Database role",
            f"The role cannot act for signed-in users: {_reason(error)}.",
            "Run `grant authenticated to livewatch_app`, which the migrations do, or use the role livewatch_app.",
        )
        return
    if missing:
        yield _bad(
            "Migrations",
            f"{len(missing)} are not applied: {', '.join(missing)}.",
            "Run `python main.py migrate`, or `supabase db push`.",
        )
        return
    yield _good("Migrations", "All are applied.")
    unprotected, unpublished, silent, policies = await _catalogue(database)
    if unprotected:
        yield _bad(
            "Row-level security",
            f"It is off, or without a policy, for {', '.join(unprotected)}.",
            "Turn it on again with `alter table … enable row level security`; the policies are in supabase/migrations.",
        )
    else:
        yield _good("Row-level security", "It is on, with policies, for every table.")
    if policies < 2:
        yield _bad(
            "Realtime policies",
            "The policies on realtime.messages that let members listen are gone.",
            "Run the `create policy … on realtime.messages` statements of supabase/migrations.",
        )
    else:
        yield _good("Realtime policies", "Members may listen to their topics, and nobody else.")
    if feed is FeedKind.BROADCAST:
        yield (
            _bad(
                "Broadcast triggers",
                f"They are missing or off for {', '.join(silent)}.",
                "Run `alter table … enable trigger broadcast_row`, or the statements of supabase/migrations.",
            )
            if silent
            else _good("Broadcast triggers", "Every change is broadcast.")
        )
    yield (
        _bad(
            "Publication",
            f"supabase_realtime lacks {', '.join(unpublished)}.",
            f"Run `alter publication supabase_realtime add table {', '.join(unpublished)}`.",
        )
        if unpublished
        else _good("Publication", "supabase_realtime has every table.")
    )


async def _catalogue(database: Database) -> tuple[list[str], list[str], list[str], int]:
    async with database.as_user(Anonymous()) as session:
        connection = await session.connection()
        named = {"tables": TABLES}
        return (
            sorted((await connection.execute(_UNPROTECTED, named)).scalars()),
            sorted((await connection.execute(_UNPUBLISHED, named)).scalars()),
            sorted((await connection.execute(_SILENT, named)).scalars()),
            int((await connection.execute(_TOPIC_POLICIES)).scalar_one()),
        )


async def _probe(backend: Backend, database: Database, feed: FeedKind, account: Account) -> CheckResult:
    """Sign in, listen on the user's own topic, and have the database send something there."""
    async with Auth(url=backend.api_url, key=backend.anon_key) as auth:
        try:
            tokens = await auth.sign_in(account.email, account.password)
        except AuthError as error:
            return _bad("Probe", f"{account.email} could not sign in: {error}", "Give a user of the project.")
        transport = TRANSPORTS[feed](url=backend.api_url, key=backend.anon_key)
        async with RealtimeService(transport=transport, source=DatabaseSource(database)) as realtime:
            ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            subscription = realtime.subscribe(
                NOTIFICATIONS,
                tokens.identity.user_id,
                session=_Subscriber(tokens),
                on_status=lambda status: (
                    ended.set_result(None)
                    if not ended.done() and (status.lag is not None or status.status is ConnectionStatus.ERROR)
                    else None
                ),
            )
            try:
                async with asyncio.timeout(PROBE_TIMEOUT):
                    await ended
            except TimeoutError:
                pass
            status = subscription.status
            if status.lag is not None:
                return _good("Probe", f"A change came through Realtime and back in {status.lag * 1000:.0f} ms.")
            return _bad(
                "Probe",
                f"No change came back within {PROBE_TIMEOUT:.0f} s. {status.cause}".strip(),
                "Look at Realtime's settings: it must be on, and private channels allowed.",
            )


def _good(name: str, message: str) -> CheckResult:
    return CheckResult(name=name, verdict=CheckStatus.GOOD, message=message)


def _bad(name: str, message: str, hint: str) -> CheckResult:
    return CheckResult(name=name, verdict=CheckStatus.BAD, message=message, hint=hint)


def _reason(error: BaseException) -> str:
    said = str(error).strip()
    return said.splitlines()[0].rstrip(".") if said else type(error).__name__
