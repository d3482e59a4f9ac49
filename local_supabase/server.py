"""Brings a local Supabase up, step by step, serves it, and takes it down in reverse."""

import asyncio
import contextlib
import ipaddress
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from local_supabase import secrets_file
from local_supabase.errors import DataDirectoryError, LocalSupabaseError, PortInUseError
from local_supabase.postgres.data_directory import DataDirectory
from local_supabase.postgres.embedded import SUPERUSER, Postgres
from local_supabase.postgres.installation import POSTGRES_VERSION
from local_supabase.realtime.protocol.limits import Limits
from local_supabase.secrets_file import Secrets

OWNER = "postgres"
AUTH_ROLE = "supabase_auth_admin"

KNOWN_NAMES = {
    "lock", "postgres", "postgres.new", "postgres.log", "postgres.log.old", "secrets.json", "socket", "status.json",
}  # fmt: skip

Report = Callable[[str, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to serve and where; `port` 0 takes a free one."""

    data: Path
    migrations: Path
    host: str = "127.0.0.1"
    port: int = 0
    user: str | None = None
    app_role: str | None = None
    reset: bool = False
    token_lifetime: int = 3600
    limits: Limits = field(default_factory=Limits)


async def serve(options: Options, stop: asyncio.Event, report: Report) -> None:
    """Serve until `stop` is set; `report` is told each finished step (name, sentence).

    Returns once everything is stopped. Raises LocalSupabaseError when it cannot start.
    """
    async with AsyncExitStack() as stack:
        directory = DataDirectory.open(options.data)
        stack.callback(directory.close)
        listener = _bind(options.host, options.port)
        stack.callback(listener.close)
        if not ipaddress.ip_address(listener.getsockname()[0]).is_loopback:
            _say(f"Listening on {options.host}: whoever reaches this machine and has a key can use it.")
        if options.reset:
            await _empty(directory)
        secrets = secrets_file.load_or_create(directory.path)
        postgres = Postgres(directory.path, password=secrets.admin_password, log=_say)
        stack.push_async_callback(postgres.stop)
        starting = asyncio.create_task(_timed(postgres.start()), name="postgres")
        try:
            # What the server needs takes as long to import as PostgreSQL to start: both at once.
            await asyncio.to_thread(_import_what_follows)
        finally:
            seconds = await starting
        report("postgres", f"PostgreSQL {POSTGRES_VERSION} ready in {seconds:.2f} s")
        await _prepare(options, postgres, secrets, report)
        failed = await stack.enter_async_context(_running(options, postgres, secrets, listener, report))
        waits = [asyncio.create_task(event.wait()) for event in (stop, failed)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if failed.is_set():
            raise LocalSupabaseError("A part of the local Supabase ended unexpectedly: see the log.")


async def _empty(directory: DataDirectory) -> None:
    await Postgres(directory.path, password="", log=_say).end_orphan()
    if {path.name for path in directory.path.iterdir()} - KNOWN_NAMES:
        raise DataDirectoryError(f"{directory.path} holds files that are not ours: --reset does not touch it.")
    directory.empty()


async def _timed(work: Awaitable[None]) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


def _import_what_follows() -> None:
    import structlog  # noqa: PLC0415

    import local_supabase.composition  # noqa: PLC0415
    import local_supabase.http.server  # noqa: PLC0415
    import local_supabase.postgres.migrations  # noqa: F401, PLC0415

    # Standard output belongs to the steps.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))


async def _prepare(options: Options, postgres: Postgres, secrets: Secrets, report: Report) -> None:
    from local_supabase.postgres import bootstrap, migrations  # noqa: PLC0415 - imported while PostgreSQL starts
    from local_supabase.postgres.pool import connect  # noqa: PLC0415

    admin = await connect(postgres.url(SUPERUSER, secrets.admin_password), name="local_supabase")
    async with admin:
        await bootstrap.apply(admin, {OWNER: secrets.owner_password, AUTH_ROLE: secrets.auth_password})
        owner = await connect(postgres.url(OWNER, secrets.owner_password), name="migrations")
        async with owner:
            applied = await migrations.apply(owner, options.migrations)
        if options.app_role:
            await bootstrap.set_password(admin, options.app_role, secrets.app_password)
    report("migrations", f"{len(applied)} new migrations applied" if applied else "migrations up to date")


@asynccontextmanager
async def _running(
    options: Options, postgres: Postgres, secrets: Secrets, listener: socket.socket, report: Report
) -> AsyncIterator[asyncio.Event]:
    from local_supabase.composition import compose  # noqa: PLC0415 - imported while PostgreSQL starts
    from local_supabase.http.server import serving  # noqa: PLC0415

    api_url = _url(*listener.getsockname()[:2])
    async with compose(postgres, secrets, api_url, options.token_lifetime, options.limits) as parts:
        if options.user and not await parts.auth.has_user(options.user):
            await parts.auth.create_user(options.user, secrets.demo_password)
        report("auth", "Auth ready")
        async with serving(parts.app, listener):
            async with asyncio.timeout(30):
                await parts.broadcasts.ready.wait()
            report("realtime", "Realtime ready")
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
            # As plain JSON: the model in status.py is for readers, and pydantic would double our start-up time.
            secrets_file.write_private(postgres.data / secrets_file.STATUS_NAME, json.dumps(status, indent=2) + "\n")
            report("ready", api_url)
            yield parts.failed


def _url(host: str, port: int) -> str:
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        # Listening everywhere: a client on this machine takes loopback.
        address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
    return f"http://[{address}]:{port}" if address.version == 6 else f"http://{address}:{port}"


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named: else asyncio leaves Nagle's algorithm on, which holds answers back for 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if sys.platform != "win32":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise PortInUseError(
            f"{host}:{port} cannot be listened on ({error.strerror}): stop what uses it, "
            "or choose another with --port (0 takes a free one)."
        ) from error
    listener.setblocking(False)
    return listener


def _say(sentence: str) -> None:
    with contextlib.suppress(OSError):
        print(sentence, file=sys.stderr, flush=True)
