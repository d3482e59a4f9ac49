"""Wires Auth and Realtime to a running PostgreSQL, with the tasks that keep them going."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from starlette.applications import Starlette

from local_supabase.app import create_app
from local_supabase.auth.endpoints import Auth, AuthSettings
from local_supabase.auth.gateway import with_api_key
from local_supabase.auth.keys import SigningKey, Verifier
from local_supabase.auth.users import Users
from local_supabase.postgres.embedded import SUPERUSER, Postgres
from local_supabase.postgres.pool import Pool
from local_supabase.realtime.changes.replication import Replication
from local_supabase.realtime.changes.table_changes import TableChanges
from local_supabase.realtime.channels.authorization import Authorization
from local_supabase.realtime.channels.broadcasts import DatabaseBroadcasts
from local_supabase.realtime.channels.channel import Services
from local_supabase.realtime.channels.presence import Presence
from local_supabase.realtime.channels.topics import Topics
from local_supabase.realtime.endpoints.broadcast_api import RealtimeApi
from local_supabase.realtime.endpoints.websocket import RealtimeEndpoint
from local_supabase.realtime.protocol.limits import Limits, Rate
from local_supabase.secrets_file import Secrets

log = structlog.get_logger()

AUTH_ROLE = "supabase_auth_admin"
REALTIME_CONNECTIONS = 6
AUTH_CONNECTIONS = 3
RESTART_PAUSE = 0.2
POLICY_TIMEOUT = 5.0
"""Seconds that a policy may take; it holds up the changes behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the composition gives out."""

    app: Starlette
    auth: Auth
    broadcasts: DatabaseBroadcasts
    failed: asyncio.Event
    """Set when a part ended that must not: the process cannot go on."""


@asynccontextmanager
async def compose(
    postgres: Postgres, secrets: Secrets, api_url: str, token_lifetime: int, limits: Limits
) -> AsyncIterator[Parts]:
    """Yield the application; on exit its tasks are cancelled and its connections closed."""
    key = SigningKey.from_pem(secrets.signing_key)
    verifier = Verifier(key)
    realtime_pool = Pool(
        postgres.url(SUPERUSER, secrets.admin_password),
        size=REALTIME_CONNECTIONS,
        name="realtime",
        statement_timeout=POLICY_TIMEOUT,
    )
    auth_pool = Pool(postgres.url(AUTH_ROLE, secrets.auth_password), size=AUTH_CONNECTIONS, name="auth")
    topics = Topics()
    broadcasts = DatabaseBroadcasts(realtime_pool, topics)
    changes = TableChanges(realtime_pool, Replication(realtime_pool.url))
    clock = asyncio.get_running_loop().time
    services = Services(
        verifier=verifier,
        topics=topics,
        authorization=Authorization(realtime_pool),
        broadcasts=broadcasts,
        changes=changes,
        presence=Presence(topics),
        pool=realtime_pool,
        limits=limits,
        message_rate=Rate(limits.messages_per_second, clock),
        join_rate=Rate(limits.joins_per_second, clock),
    )
    endpoint = RealtimeEndpoint(services)
    auth = Auth(
        Users(auth_pool), key, verifier, AuthSettings(issuer=f"{api_url}/auth/v1", token_lifetime=token_lifetime)
    )
    tasks = [
        asyncio.create_task(broadcasts.run(), name="realtime-broadcasts"),
        asyncio.create_task(changes.run(), name="realtime-changes"),
        asyncio.create_task(endpoint.watch(), name="realtime-watch"),
        asyncio.create_task(_keep_running(postgres), name="postgres-watch"),
    ]
    failed = asyncio.Event()

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            log.error("a task of the local Supabase ended", task=task.get_name(), error=repr(task.exception()))
            failed.set()

    for task in tasks:
        task.add_done_callback(ended)
    app = create_app(auth, endpoint, with_api_key(RealtimeApi(services).broadcast, verifier))
    try:
        yield Parts(app=app, auth=auth, broadcasts=broadcasts, failed=failed)
    finally:
        for task in reversed(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await auth_pool.aclose()
        await realtime_pool.aclose()


async def _keep_running(postgres: Postgres) -> None:
    while True:
        code = await postgres.wait()
        log.error("PostgreSQL ended and is started again", exit_code=code)
        await asyncio.sleep(RESTART_PAUSE)
        await postgres.stop()
        await postgres.start()
