"""Verification of a Supabase project: one result per requirement, with a fix for each problem."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum

import httpx
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.auth.client import Auth, Tokens
from services.auth.identity import Identity
from services.entities import LIVE_TABLES, NOTIFICATIONS, ConnectionStatus
from services.errors import AuthError, ConfigurationError, LivewatchError
from services.feed_kind import FeedKind
from services.infra.backend import Account, Backend
from services.infra.claims import Anonymous
from services.infra.database import Database
from services.operations.migrations import missing_migrations
from services.realtime import TRANSPORTS, DatabaseSource, RealtimeService

REQUEST_TIMEOUT_SECONDS = 10.0
PROBE_TIMEOUT_SECONDS = 20.0
TABLES = sorted({each.table for each in LIVE_TABLES})

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
    """Outcome of one check."""

    GOOD = "good"
    BAD = "bad"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """Result of one check; `hint` is the fix, empty if the status is good."""

    name: str
    status: CheckStatus
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class _Subscriber:
    """Token owner of the probe's subscription."""

    tokens: Tokens

    @property
    def identity(self) -> Identity:
        return self.tokens.identity


async def check(backend: Backend, *, feed: FeedKind, account: Account | None) -> AsyncIterator[CheckResult]:
    """Check the project, from its URL to an end-to-end probe through Realtime; problems are results, not exceptions.

    Args:
        backend: The project to check.
        feed: Delivery mechanism that the app uses.
        account: User who signs in for the probe; without one the probe is skipped.
    """
    async for result in _project(backend):
        yield result
    try:
        database = Database(backend.database_url, pool_size=1)
    except ConfigurationError as error:
        yield _bad("Database", str(error), "Correct DATABASE_URL.")
        return
    async with database:
        is_available = True
        async for result in _database(database, feed):
            is_available = is_available and not (result.name == "Database" and result.status is CheckStatus.BAD)
            yield result
        if account is None:
            yield CheckResult(
                name="Probe",
                status=CheckStatus.SKIPPED,
                message="No probe was sent through Realtime, because no user is configured.",
                hint="Set LIVEWATCH_EMAIL and LIVEWATCH_PASSWORD to a user of the project.",
            )
        elif is_available:
            yield await _probe(backend, database, feed, account)


async def _project(backend: Backend) -> AsyncIterator[CheckResult]:
    """Check the project URL, the anon key and the signing of tokens."""
    key = backend.anon_key.get_secret_value()
    url = backend.api_url.rstrip("/")
    async with httpx.AsyncClient(timeout=REQUEST_TIMEOUT_SECONDS, headers={"apikey": key}) as http:
        try:
            answer = await http.get(f"{url}/auth/v1/settings")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            yield _bad(
                "Project URL",
                f"{url} does not respond: {_reason(error)}.",
                "Compare SUPABASE_URL with the URL under Settings → API. Restore the project if it is paused.",
            )
            return
        yield _good("Project URL", f"{url} responds.")
        if answer.status_code != httpx.codes.OK:
            yield _bad(
                "Key",
                f"The Auth server rejects SUPABASE_ANON_KEY with status {answer.status_code}.",
                "Copy the anon or publishable key of this project from Settings → API keys.",
            )
            return
        yield _good("Key", "The Auth server accepts the key.")
        try:
            answer = await http.get(f"{url}/auth/v1/.well-known/jwks.json")
            algorithms = sorted({str(each.get("alg")) for each in answer.json()["keys"]})
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
            yield _bad(
                "Token signing",
                f"The public keys cannot be read: {_reason(error)}.",
                f"Check the project's status and {url}/auth/v1/.well-known/jwks.json.",
            )
            return
        yield _good(
            "Token signing",
            f"Tokens are signed with {', '.join(algorithms)}."
            if algorithms
            else "Tokens are signed with HS256 (legacy).",
        )


async def _database(database: Database, feed: FeedKind) -> AsyncIterator[CheckResult]:
    """Check the role, the migrations, and the database objects that they create."""
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
            "`python main.py migrate` sets its password.",
        )
        return
    else:
        yield _good("Database role", "The role of DATABASE_URL cannot bypass row-level security.")
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
            f"{len(missing)} not applied: {', '.join(missing)}.",
            "Run `python main.py migrate`, or `supabase db push`.",
        )
        return
    yield _good("Migrations", "All are applied.")
    unprotected, unpublished, silent, policies = await _catalogue(database)
    if unprotected:
        yield _bad(
            "Row-level security",
            f"Disabled or without policies on {', '.join(unprotected)}.",
            "Run `alter table … enable row level security`; the policies are in supabase/migrations.",
        )
    else:
        yield _good("Row-level security", "Enabled, with policies, on every table.")
    if policies < 2:
        yield _bad(
            "Realtime policies",
            "The policies on realtime.messages that let members subscribe are missing.",
            "Run the `create policy … on realtime.messages` statements of supabase/migrations.",
        )
    else:
        yield _good("Realtime policies", "Only members may subscribe to their topics.")
    if feed is FeedKind.BROADCAST:
        yield (
            _bad(
                "Broadcast triggers",
                f"Missing or disabled on {', '.join(silent)}.",
                "Run `alter table … enable trigger broadcast_row`, or the statements of supabase/migrations.",
            )
            if silent
            else _good("Broadcast triggers", "Enabled on every table.")
        )
    yield (
        _bad(
            "Publication",
            f"supabase_realtime does not contain {', '.join(unpublished)}.",
            f"Run `alter publication supabase_realtime add table {', '.join(unpublished)}`.",
        )
        if unpublished
        else _good("Publication", "supabase_realtime contains every table.")
    )


async def _catalogue(database: Database) -> tuple[list[str], list[str], list[str], int]:
    """Return the unprotected, unpublished and untriggered tables, and the number of policies on topics."""
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
    """Sign in, subscribe to the user's own topic, and wait until a probe through the database comes back."""
    async with Auth(url=backend.api_url, key=backend.anon_key) as auth:
        try:
            tokens = await auth.sign_in(account.email, account.password)
        except AuthError as error:
            return _bad(
                "Probe",
                f"{account.email} could not sign in: {error}",
                "Set LIVEWATCH_EMAIL and LIVEWATCH_PASSWORD to a user of the project.",
            )
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
                async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
                    await ended
            except TimeoutError:
                pass
            status = subscription.status
            if status.lag is not None:
                return _good("Probe", f"A probe through Realtime came back in {status.lag * 1000:.0f} ms.")
            return _bad(
                "Probe",
                f"No probe came back within {PROBE_TIMEOUT_SECONDS:.0f} s. {status.cause}".strip(),
                "Check the project's Realtime settings: Realtime must be enabled, and private channels allowed.",
            )


def _good(name: str, message: str) -> CheckResult:
    return CheckResult(name=name, status=CheckStatus.GOOD, message=message)


def _bad(name: str, message: str, hint: str) -> CheckResult:
    return CheckResult(name=name, status=CheckStatus.BAD, message=message, hint=hint)


def _reason(error: BaseException) -> str:
    said = str(error).strip()
    return said.splitlines()[0].rstrip(".") if said else type(error).__name__
