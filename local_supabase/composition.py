"""Composition of Auth and Realtime on a running PostgreSQL: connections, background tasks and the application."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass

import psycopg
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount, Route, WebSocketRoute

from local_supabase.auth.accounts import AuthSettings
from local_supabase.auth.endpoints import Auth
from local_supabase.auth.external.provider import OidcProvider, ProviderSettings
from local_supabase.auth.gateway import with_api_key
from local_supabase.auth.keys import SigningKey, Verifier
from local_supabase.auth.outbox import FILE_NAME as OUTBOX_NAME
from local_supabase.auth.outbox import Delivery, Outbox
from local_supabase.auth.users import Users
from local_supabase.child import OidcOptions
from local_supabase.errors import ApiError, DataDirectoryError, PostgresError
from local_supabase.mail.delivery import Mailer
from local_supabase.mail.smtp_url import SmtpServer
from local_supabase.postgres.embedded import EmbeddedPostgres
from local_supabase.postgres.pool import Pool
from local_supabase.realtime.changes.replication import Replication
from local_supabase.realtime.changes.table_changes import TableChanges
from local_supabase.realtime.channels.authorization import Authorization
from local_supabase.realtime.channels.broadcasts import DatabaseBroadcasts
from local_supabase.realtime.channels.presence import Presence
from local_supabase.realtime.channels.services import RealtimeServices
from local_supabase.realtime.channels.topics import Topics
from local_supabase.realtime.endpoints.broadcast_api import BroadcastApi
from local_supabase.realtime.endpoints.websocket import RealtimeEndpoint
from local_supabase.realtime.protocol.limits import Limits
from local_supabase.realtime.protocol.send_buffers import SendBuffers
from local_supabase.retry import Backoff
from local_supabase.web.hosts import AllowedHosts
from local_supabase.web.rate_limiter import AverageRateLimiter
from local_supabase.web.responses import error_response

log = structlog.get_logger()

REALTIME_CONNECTIONS = 6
AUTH_CONNECTIONS = 3
POLICY_TIMEOUT_SECONDS = 5.0
"""Bounds a policy's evaluation, which delays the changes behind it."""
CORS_MAX_AGE_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The composed application and the parts that the server uses directly."""

    app: Starlette
    auth: Auth
    broadcasts: DatabaseBroadcasts
    failed: asyncio.Future[str]
    """The sentence to stop with, once a background task has ended."""


@asynccontextmanager
async def compose(
    *,
    realtime_url: str,
    auth_url: str,
    postgres: EmbeddedPostgres,
    signing_key: str,
    api_url: str,
    token_lifetime: int,
    site_url: str,
    jwt_secret: str | None,
    external_url: str | None,
    oidc: OidcOptions | None,
    smtp_server: SmtpServer | None,
    mail_link: str,
    disable_signup: bool,
    limits: Limits,
    allowed_hosts: Collection[str] = (),
) -> AsyncIterator[Parts]:
    """Yield the application; on exit cancel its tasks and close its connections.

    Args:
        realtime_url: libpq URL of the superuser.
        auth_url: libpq URL of the Auth server's role.
        postgres: the running server, restarted here if it exits.
        signing_key: PEM-encoded key of the project.
        api_url: address of the API, for the tokens' issuer.
        token_lifetime: lifetime of access tokens in seconds.
        site_url: where links of e-mails lead.
        jwt_secret: secret of tokens that the project signs itself (HS256).
        external_url: address at which browsers reach Auth; None for that of the API.
        oidc: an external provider; None for none.
        smtp_server: sends mails; None to append them to a file, and to confirm addresses at once.
        mail_link: template of the links in mails.
        disable_signup: whether only the service role makes accounts.
        limits: limits of Realtime.
        allowed_hosts: names under which clients reach the API.
    """
    key = SigningKey.from_pem(signing_key)
    verifier = Verifier(key, secret=jwt_secret)
    realtime_pool = Pool(
        realtime_url, size=REALTIME_CONNECTIONS, name="realtime", statement_timeout=POLICY_TIMEOUT_SECONDS
    )
    auth_pool = Pool(auth_url, size=AUTH_CONNECTIONS, name="auth")
    topics = Topics()
    send_buffers = SendBuffers(limits.send_buffer // 4, limits.reader_wait)
    broadcasts = DatabaseBroadcasts(
        realtime_pool, topics, retention=limits.message_retention, send_buffers=send_buffers
    )
    changes = TableChanges(realtime_pool, Replication(realtime_url), send_buffers)
    clock = asyncio.get_running_loop().time
    services = RealtimeServices(
        verifier=verifier,
        topics=topics,
        authorization=Authorization(realtime_pool),
        broadcasts=broadcasts,
        changes=changes,
        presence=Presence(topics),
        pool=realtime_pool,
        limits=limits,
        send_buffers=send_buffers,
        message_rate=AverageRateLimiter(limits.messages_per_second, clock),
        join_rate=AverageRateLimiter(limits.joins_per_second, clock),
    )
    endpoint = RealtimeEndpoint(services)
    settings = AuthSettings(
        issuer=f"{api_url}/auth/v1",
        token_lifetime=token_lifetime,
        site_url=site_url,
        autoconfirm=smtp_server is None,
        disable_signup=disable_signup,
    )
    mailer = Mailer(smtp_server) if smtp_server else None
    outbox = Outbox(postgres.data / OUTBOX_NAME, Delivery(mailer=mailer, site_url=site_url, mail_link=mail_link))
    provider = external_provider(oidc, external_url or settings.issuer)
    auth = Auth(Users(auth_pool), key, verifier, settings, outbox, provider=provider)
    failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    tasks = [
        asyncio.create_task(broadcasts.run(), name="realtime-broadcasts"),
        asyncio.create_task(changes.run(), name="realtime-changes"),
        asyncio.create_task(endpoint.watch(), name="realtime-watch"),
        asyncio.create_task(_keep_running(postgres), name="postgres-watch"),
    ]

    def on_done(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and not failed.done():
            error = task.exception()
            cause = f"{type(error).__name__}: {error}" if error else "it returned"
            log.error("background task ended", task=task.get_name(), exc_info=error)
            failed.set_result(
                f"The background task '{task.get_name()}' ended unexpectedly ({cause}): the lines above tell where."
            )

    for task in tasks:
        task.add_done_callback(on_done)
    api = BroadcastApi(services)
    app = create_app(
        auth,
        endpoint,
        [
            Route("/api/broadcast", with_api_key(api.batch, verifier), methods=["POST"]),
            Route(
                "/api/broadcast/{topic:path}/events/{event:path}", with_api_key(api.single, verifier), methods=["POST"]
            ),
        ],
        allowed_hosts,
    )
    try:
        async with mailer or nullcontext():
            yield Parts(app=app, auth=auth, broadcasts=broadcasts, failed=failed)
    finally:
        for task in reversed(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if provider:
            await provider.aclose()
        await auth_pool.aclose()
        await realtime_pool.aclose()


def external_provider(oidc: OidcOptions | None, external_url: str) -> OidcProvider | None:
    """Return the client of the provider in the options, whose browsers return to Auth at `external_url`."""
    if oidc is None:
        return None
    settings = ProviderSettings(
        name=oidc.name,
        issuer=oidc.issuer,
        client_id=oidc.client_id,
        client_secret=oidc.client_secret,
        scopes=oidc.scopes,
        sign_up_domains=oidc.sign_up_domains,
    )
    return OidcProvider(settings, f"{external_url.rstrip('/')}/callback")


def create_app(
    auth: Auth, realtime: RealtimeEndpoint, realtime_api: list[Route], allowed_hosts: Collection[str]
) -> Starlette:
    """Return the application below the API URL."""
    # Tokens travel in headers, never in cookies, so every origin is safe to allow, as on a hosted project.
    cors = Middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["x-total-count", "link"],
        max_age=CORS_MAX_AGE_SECONDS,
    )
    handled = (ApiError, HTTPException, PostgresError, psycopg.DataError, psycopg.OperationalError, Exception)
    app = Starlette(
        routes=[
            Mount("/auth/v1", routes=auth.routes()),
            Mount("/realtime/v1", routes=[WebSocketRoute("/websocket", realtime), *realtime_api]),
        ],
        middleware=[Middleware(AllowedHosts, names=allowed_hosts), cors],
        exception_handlers={kind: error_response for kind in handled},
    )
    # What is not served is named at once, without a detour by a slash at the end.
    app.router.redirect_slashes = False
    return app


async def _keep_running(postgres: EmbeddedPostgres) -> None:
    """Start PostgreSQL again whenever it exits, for as long as it takes: a full disk may get room again."""
    backoff = Backoff(initial=0.2, maximum=5.0)
    while True:
        code = await postgres.wait()
        cause = postgres.end_of_log()
        while True:
            log.error("postgresql is down, restarting", exit_code=code, delay=backoff.delay, cause=cause)
            await backoff.sleep()
            await postgres.stop()
            try:
                await postgres.start()
            except (PostgresError, DataDirectoryError, OSError) as error:
                cause = str(error)
            else:
                log.warning("postgresql is up again")
                break
