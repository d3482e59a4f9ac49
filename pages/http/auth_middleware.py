"""Authentication of requests: pages require a session, and forms must originate from the app's own pages."""

from collections.abc import Awaitable, Callable
from urllib.parse import quote, urlsplit

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from components.shell.theme.theme import STYLES_BELOW
from pages.api.errors import PREFIX
from pages.http.downloads import Downloads
from pages.http.sdk import SDK_BELOW
from pages.http.socket_frames import SocketFrames
from pages.page.bodies import limit_body
from pages.page.session_cookie import SessionCookie
from services.auth.identity import Identity
from services.auth.sessions import Sessions, UserSession
from services.errors import AuthError, SessionExpired, SessionTooLarge
from services.infra.root_path import route_path
from services.people.invitations import INVITATION_BELOW

SESSION = "livewatch.session"
OPEN = (
    *("/sign-in", "/session", "/session/demo", "/session/join", "/session/sso", "/session/sso/start"),
    *("/auth/v1/authorize", "/auth/v1/callback", "/forgot", "/sign-up", "/session/forgot"),
    *("/session/link", "/session/sign-up", "/session/confirm", "/healthz", "/readyz", "/metrics"),
)
PWA_BELOW = "/pwa/"
STATUS_BELOW = "/status/"
BADGE_BELOW = "/badge/"
SOCKET = "/_nicegui_ws/"
ASSETS_BELOW = ("/_nicegui/", STYLES_BELOW, SDK_BELOW, PWA_BELOW)
OPEN_BELOW = (*ASSETS_BELOW, SOCKET, STATUS_BELOW, BADGE_BELOW)
FAVICON = "/favicon.ico"
# Only forms are posted here; programs use the API, and windows their socket.
MAX_BODY_BYTES = 64 * 1024
EXPORT_BELOW = "/export/"
# The ids of the rows to export, 5,000 at most.
MAX_EXPORT_BODY_BYTES = 256 * 1024
LATE_SHARE = 0.4
"""Share of a session's margin in which a request renews the tokens; an open window does so before."""


class AuthMiddleware:
    """ASGI middleware that stores a request's UserSession in its scope, or redirects the browser to sign in.

    A session whose tokens are about to expire is refreshed, and the response sets the new cookie.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        cookie: SessionCookie,
        sessions: Sessions,
        discard: Callable[[Identity], Awaitable[None]],
        may_use_socket: Callable[[HTTPConnection], bool] = lambda _: True,
    ) -> None:
        self._app = app
        self._may_use_socket = may_use_socket
        self._downloads = Downloads(SocketFrames(app))
        self._cookie = cookie
        self._sessions = sessions
        self._discard = discard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        path = route_path(scope)
        if path.startswith(SOCKET) and not self._may_open_socket(HTTPConnection(scope)):
            await _refuse_socket(scope, receive, send)
        elif scope["type"] == "websocket" or path.startswith(OPEN_BELOW) or path == FAVICON:
            await self._downloads(scope, receive, send)
        elif path == PREFIX or path.startswith(f"{PREFIX}/"):
            # Programs authenticate with a key. Sessions are ignored, so that a cookie never authorizes an API request.
            await self._app(scope, receive, send)
        else:
            size = MAX_EXPORT_BODY_BYTES if path.startswith(EXPORT_BELOW) else MAX_BODY_BYTES
            await self._serve_user(scope, limit_body(size, receive), send, path)

    async def _serve_user(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        connection = HTTPConnection(scope)
        if scope["method"] not in ("GET", "HEAD", "OPTIONS") and not _is_same_origin(connection):
            refusal: Response = PlainTextResponse("This form was not sent from a page of this app.", status_code=403)
            await refusal(scope, receive, send)
            return
        is_secure = connection.url.scheme == "https"
        renewed = False
        reason = ""
        session: UserSession | None = None
        if tokens := self._cookie.read(connection):
            try:
                session = self._sessions.get_or_create(tokens)
                await session.renew(margin=session.margin * LATE_SHARE)
                await session.check()
                session.identity  # noqa: B018  # raises if the check ended the session
                renewed = session.tokens != tokens
                if renewed:
                    self._cookie.check(session.tokens)
            except SessionExpired:
                session, reason = None, "expired"
            except SessionTooLarge:
                if session:
                    await self._discard(session.identity)
                session, reason = None, "large"
            except AuthError:
                pass  # the session is not known to be over
        if session is None and path not in OPEN and not path.startswith(INVITATION_BELOW):
            target = quote(path + (f"?{scope['query_string'].decode()}" if scope["query_string"] else ""))
            query = f"?next={target}" + (f"&reason={reason}" if reason else "")
            answer = (
                RedirectResponse(f"{scope.get('root_path', '')}/sign-in{query}", status_code=303)
                if scope["method"] == "GET"
                else PlainTextResponse("Sign in first.", status_code=401)
            )
            if reason:
                self._cookie.clear(answer.headers, is_secure=is_secure)
            await answer(scope, receive, send)
            return
        scope[SESSION] = session

        async def send_with_cookie(message: Message) -> None:
            if renewed and session and message["type"] == "http.response.start":
                self._cookie.write(MutableHeaders(scope=message), session.tokens, is_secure=is_secure)
            await send(message)

        user = str(session.identity.user_id) if session else None
        with structlog.contextvars.bound_contextvars(**{"user": user} if user else {}):
            await self._app(scope, receive, send_with_cookie)

    def _may_open_socket(self, connection: HTTPConnection) -> bool:
        # The same-origin policy does not cover WebSockets, and browsers send the cookies along.
        return _is_same_origin(connection) and self._may_use_socket(connection)


async def _refuse_socket(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    await PlainTextResponse("This socket was not opened by a page of this app.", status_code=403)(scope, receive, send)


def session_of(connection: HTTPConnection) -> UserSession | None:
    """Return the session that `AuthMiddleware` found for the request."""
    session: UserSession | None = connection.scope.get(SESSION)
    return session


def local_path(target: str | None) -> str:
    """Return `target` if it is a path of this app, else `/`, so that a sign-in cannot redirect to another site."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")) or urlsplit(target).netloc:
        return "/"
    return target


def _is_same_origin(connection: HTTPConnection) -> bool:
    """Return whether `Origin` names this host; browsers send it with forms and scripts, other clients need not."""
    origin = connection.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == connection.headers.get("host")
