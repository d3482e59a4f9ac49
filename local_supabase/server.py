"""Starts PostgreSQL, Auth and Realtime in order, serves until told to stop, and stops them in reverse order."""

import asyncio
import contextlib
import ipaddress
import json
import os
import re
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from local_supabase import secrets_file
from local_supabase.child import LOOPBACK, SMTP_URL_VARIABLE, Options
from local_supabase.errors import LocalSupabaseError, PortInUseError
from local_supabase.mail.link_template import DEFAULT_MAIL_LINK, unknown_variables
from local_supabase.mail.smtp_url import SmtpServer, SmtpUrlError
from local_supabase.postgres.data_directory import DataDirectory
from local_supabase.postgres.embedded import SUPERUSER, EmbeddedPostgres
from local_supabase.postgres.installation import POSTGRES_VERSION
from local_supabase.postgres.migration_files import find
from local_supabase.realtime.protocol.limits import Limits, limits_from
from local_supabase.secrets_file import Secrets

OWNER = "postgres"
AUTH_ROLE = "supabase_auth_admin"
LISTEN_BACKLOG = 1024
REALTIME_TIMEOUT_SECONDS = 30
MAX_PORT = 65535
MAX_TOKEN_LIFETIME_SECONDS = 10 * 365 * 24 * 3600
PROVIDER_NAME = re.compile(r"(?!email$|phone$)[a-z0-9][a-z0-9:_-]{0,62}")
MIN_JWT_SECRET_BYTES = 32
"""RFC 7518, section 3.2: a key for HS256 is as long as the hash."""

Report = Callable[[str, str], None]
"""Receives a step's name and a sentence about its result."""


async def serve(options: Options, stop: asyncio.Event, report: Report) -> None:
    """Serve until `stop` is set, and return once everything has stopped.

    Args:
        options: what to serve and where.
        stop: set it to end serving.
        report: called for each finished step of the start.

    Raises:
        LocalSupabaseError: an option is not valid, a step of the start failed, or a background task ended unexpectedly.
    """
    limits = limits_from(options.limits)
    _check(options)
    async with AsyncExitStack() as stack:
        directory = DataDirectory.open(options.data)
        stack.callback(directory.close)
        # The status of an instance that was killed says what is no longer true.
        status_file = directory.path / secrets_file.STATUS_NAME
        status_file.unlink(missing_ok=True)
        stack.callback(status_file.unlink, missing_ok=True)
        listener = _listen(options.host, options.port)
        stack.callback(listener.close)
        if not ipaddress.ip_address(listener.getsockname()[0]).is_loopback:
            _print(f"Listening on {options.host}: other machines can connect, and every API key grants access.")
        if options.reset:
            await EmbeddedPostgres(directory.path, password="", log=_print).stop_orphan()
            directory.clear()
        secrets = secrets_file.load_or_create(directory.path)
        postgres = EmbeddedPostgres(directory.path, password=secrets.admin_password, log=_print)
        stack.push_async_callback(postgres.stop)
        # The imports take as long as starting PostgreSQL: do both at once.
        importing = asyncio.create_task(asyncio.to_thread(_import_server_modules), name="imports")
        try:
            seconds = await _timed(postgres.start())
        finally:
            await importing
        report("postgres", f"PostgreSQL {POSTGRES_VERSION} ready in {seconds:.2f} s")
        await _prepare_database(options, postgres, secrets, report)
        failed = await stack.enter_async_context(
            _running(options, postgres, secrets, limits=limits, listener=listener, report=report)
        )
        stopping = asyncio.create_task(stop.wait(), name="stop")
        ends: set[asyncio.Future[Any]] = {stopping, failed}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if failed.done():
            raise LocalSupabaseError(failed.result())


def _check(options: Options) -> None:
    """Raise LocalSupabaseError for an option that is not valid, before anything is started."""
    if not 0 <= options.port <= MAX_PORT:
        raise LocalSupabaseError(f"The port cannot be {options.port}: choose up to {MAX_PORT}, or 0 for a free one.")
    if not 1 <= options.token_lifetime <= MAX_TOKEN_LIFETIME_SECONDS:
        raise LocalSupabaseError(
            f"The token lifetime cannot be {options.token_lifetime} s: choose from 1 to {MAX_TOKEN_LIFETIME_SECONDS} s."
        )
    if options.jwt_secret is not None and len(options.jwt_secret.encode()) < MIN_JWT_SECRET_BYTES:
        raise LocalSupabaseError(f"The JWT secret is too short: it needs at least {MIN_JWT_SECRET_BYTES} bytes.")
    if not all(urlsplit(options.site_url)[:2]):
        raise LocalSupabaseError(f"The site URL cannot be {options.site_url}: write it like http://localhost:3000.")
    _check_provider(options)
    if options.smtp_url:
        try:
            SmtpServer.parse(options.smtp_url)
        except SmtpUrlError as error:
            raise LocalSupabaseError(f"{SMTP_URL_VARIABLE} is not the URL of a mail server: {error}.") from error
    if unknown := unknown_variables(options.mail_link or ""):
        raise LocalSupabaseError(f"The mail link has no value for {unknown[0]!r}: write it like {DEFAULT_MAIL_LINK}.")
    if options.user is not None and "@" not in options.user:
        raise LocalSupabaseError(f"The user cannot be {options.user}: give an e-mail address.")
    if options.migrations:
        find(options.migrations)


def _check_provider(options: Options) -> None:
    from local_supabase.auth.external.addresses import is_safe  # noqa: PLC0415 - not needed without a provider

    if options.external_url and not all(urlsplit(options.external_url)[:2]):
        raise LocalSupabaseError(
            f"The external URL cannot be {options.external_url}: write it like https://example.org/auth/v1."
        )
    oidc = options.oidc
    if oidc is None:
        return
    if not is_safe(oidc.issuer):
        raise LocalSupabaseError(
            f"The issuer cannot be {oidc.issuer}: write it like https://id.example.org; http is for this machine only."
        )
    if not oidc.client_id or not PROVIDER_NAME.fullmatch(oidc.name):
        raise LocalSupabaseError(
            f"The provider {oidc.name!r} needs a client id, and a name of small letters, digits, '-', '_' and ':'."
        )


async def _timed(work: Awaitable[None]) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


def _import_server_modules() -> None:
    import structlog  # noqa: PLC0415

    # Standard output is reserved for the steps.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))


async def _prepare_database(options: Options, postgres: EmbeddedPostgres, secrets: Secrets, report: Report) -> None:
    from local_supabase.postgres import bootstrap, migrations  # noqa: PLC0415 - imported while PostgreSQL starts
    from local_supabase.postgres.pool import connect  # noqa: PLC0415

    applied: list[migrations.Migration] = []
    admin = await connect(postgres.url(SUPERUSER, secrets.admin_password), name="local_supabase")
    async with admin:
        await bootstrap.apply(admin, {OWNER: secrets.owner_password, AUTH_ROLE: secrets.auth_password})
        if options.migrations:
            owner = await connect(postgres.url(OWNER, secrets.owner_password), name="migrations")
            async with owner:
                applied = await migrations.apply(owner, options.migrations)
                if unknown := await migrations.unknown(owner, options.migrations):
                    _print(
                        f"The database has migrations that {options.migrations} does not hold ({', '.join(unknown)}): "
                        "restore their files, or start over with --reset."
                    )
        if options.app_role:
            await bootstrap.set_password(admin, options.app_role, secrets.app_password)
        if applied:
            report("migrations", f"{len(applied)} new migrations applied")
        else:
            report("migrations", "migrations up to date" if options.migrations else "no migrations")


@asynccontextmanager
async def _running(
    options: Options,
    postgres: EmbeddedPostgres,
    secrets: Secrets,
    *,
    limits: Limits,
    listener: socket.socket,
    report: Report,
) -> AsyncIterator[asyncio.Future[str]]:
    """Serve while the context is open; the yielded future is done if a background task ends, with a sentence."""
    from local_supabase.auth.users import NewUser  # noqa: PLC0415 - imported while PostgreSQL starts
    from local_supabase.composition import compose  # noqa: PLC0415 - imported while PostgreSQL starts
    from local_supabase.realtime.protocol.wire import WireProtocol  # noqa: PLC0415
    from local_supabase.web.server import serving  # noqa: PLC0415

    api_url = _api_url(*listener.getsockname()[:2])
    async with compose(
        realtime_url=postgres.url(SUPERUSER, secrets.admin_password),
        auth_url=postgres.url(AUTH_ROLE, secrets.auth_password),
        postgres=postgres,
        signing_key=secrets.signing_key,
        api_url=api_url,
        token_lifetime=options.token_lifetime,
        site_url=options.site_url,
        jwt_secret=options.jwt_secret,
        external_url=options.external_url,
        oidc=options.oidc,
        smtp_server=SmtpServer.parse(options.smtp_url) if options.smtp_url else None,
        mail_link=options.mail_link or DEFAULT_MAIL_LINK,
        disable_signup=options.disable_signup,
        limits=limits,
        allowed_hosts=(options.host, *options.allowed_hosts),
    ) as parts:
        if options.user and not await parts.auth.accounts.exists(options.user):
            await parts.auth.accounts.create(NewUser(email=options.user), secrets.demo_password)
        report("auth", "Auth ready")
        async with serving(parts.app, listener, WireProtocol):
            async with asyncio.timeout(REALTIME_TIMEOUT_SECONDS):
                await parts.broadcasts.ready.wait()
            report("realtime", "Realtime ready")
            _write_status(options, postgres, secrets, api_url)
            report("ready", api_url)
            yield parts.failed


def _write_status(options: Options, postgres: EmbeddedPostgres, secrets: Secrets, api_url: str) -> None:
    # A plain dictionary: importing pydantic for the model in status.py would double the start-up time.
    status = {
        "api_url": api_url,
        "jwks_url": f"{api_url}/auth/v1/.well-known/jwks.json",
        "anon_key": secrets.anon_key,
        "service_role_key": secrets.service_role_key,
        "database_url": postgres.url(OWNER, secrets.owner_password),
        "app_database_url": postgres.url(options.app_role, secrets.app_password) if options.app_role else None,
        "demo_email": options.user,
        "demo_password": secrets.demo_password if options.user else None,
        "pid": os.getpid(),
        "started_at": datetime.now(UTC).isoformat(),
    }
    secrets_file.write_private(postgres.data / secrets_file.STATUS_NAME, json.dumps(status, indent=2) + "\n")


def _api_url(host: str, port: int) -> str:
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        # Clients on this machine cannot connect to 0.0.0.0 everywhere, but to loopback.
        address = ipaddress.ip_address(LOOPBACK if address.version == 4 else "::1")
    return f"http://[{address}]:{port}" if address.version == 6 else f"http://{address}:{port}"


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio disables Nagle's algorithm, which delays responses by 40 ms, only on sockets that name the protocol.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if sys.platform != "win32":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(LISTEN_BACKLOG)
    except OSError as error:
        listener.close()
        raise PortInUseError(
            f"Cannot listen on {host}:{port} ({error.strerror}): stop the process that uses the port, "
            "or choose another with --port (0 for a free one)."
        ) from error
    listener.setblocking(False)
    return listener


def _print(sentence: str) -> None:
    with contextlib.suppress(OSError):
        print(sentence, file=sys.stderr, flush=True)
