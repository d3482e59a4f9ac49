"""Ties every socket to the session whose cookie opened its page; NiceGUI takes the page's id alone as proof."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any
from urllib.parse import parse_qs, urlencode

import socketio  # type: ignore[import-untyped]
import structlog
from nicegui import Client
from starlette.requests import HTTPConnection

from pages.http.auth_middleware import session_of
from pages.page.session_cookie import SessionCookie
from services.auth.sessions import UserSession
from services.errors import SessionExpired
from services.infra.rate_limiter import Rate, RateLimiter

logger = structlog.get_logger(__name__)

Handler = Callable[..., Any]
NAMESPACE = "/"
EVENTS = ("event", "javascript_response", "ack", "log")
MAX_LOG_CHARACTERS = 2000
MAX_CAUSE_CHARACTERS = 200
LOG_RATE = Rate(per_second=1, burst=20)
"""Messages that one session's browser may write into the app's log."""
REFUSAL = "This window belongs to another session, or to none of this server."


class SocketGuard:
    """Checks a socket's cookie at the handshake, and the socket's window and session at every event.

    The cookie may be renewed and the socket reconnect: what counts is the session's id. A page without a session, the
    sign-in page, needs none. `install` replaces NiceGUI's handlers with ones that check first.
    """

    def __init__(self, server: socketio.AsyncServer, cookie: SessionCookie) -> None:
        self._server = server
        self._cookie = cookie
        self._clients: dict[str, str] = {}
        """Id of the page by id of the socket, once the handshake was accepted."""
        self._log_limiter: RateLimiter[str] = RateLimiter(LOG_RATE)
        self._inner: dict[str, Handler] = {}

    def install(self) -> None:
        """Put the checks before NiceGUI's handlers, in place of another guard's."""
        handlers = self._server.handlers[NAMESPACE]
        previous = getattr(handlers["connect"], "__self__", None)
        self._inner = previous._inner if isinstance(previous, SocketGuard) else dict(handlers)
        handlers |= {"connect": self._connect, "handshake": self._handshake, "disconnect": self._disconnect}
        handlers |= {event: self._checked(event) for event in EVENTS}
        # Engine.IO would log a traceback for each message that Socket.IO cannot parse.
        messages = self._server.eio.handlers
        messages["message"] = _parsed(getattr(messages["message"], "__wrapped__", messages["message"]), self._server)

    def may_use(self, connection: HTTPConnection) -> bool:
        """Whether a request may use the connection that its parameter `sid` names: its session opened it."""
        sid = connection.query_params.get("sid")
        opened = self._server.environ.get(sid) if sid else None
        return opened is None or self._session_id(_connection(opened)) == self._session_id(connection)

    async def _connect(self, sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        said = auth if isinstance(auth, dict) else {}
        query = {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
        query |= {str(name): _text(value) for name, value in said.items()}
        if query.get("implicit_handshake") != "true":
            return
        if not self._may_open(sid, query.get("client_id")):
            raise socketio.exceptions.ConnectionRefusedError(REFUSAL)
        await self._inner["connect"](sid, {"QUERY_STRING": urlencode(query)})
        self._clients[sid] = query["client_id"]

    async def _handshake(self, sid: str, *said: Any) -> bool:
        message = said[0] if said else None
        client_id = message.get("client_id") if isinstance(message, dict) else None
        if not self._may_open(sid, client_id) or not await self._inner["handshake"](sid, message):
            return False
        self._clients[sid] = str(client_id)
        return True

    async def _disconnect(self, sid: str, *_: object) -> None:
        self._clients.pop(sid, None)
        self._inner["disconnect"](sid)

    def _checked(self, event: str) -> Callable[..., Awaitable[None]]:
        inner = self._inner[event]

        async def handle(sid: str, *said: Any) -> None:
            message: Any = said[0] if said else None
            client = self._client(sid, message)
            if client is None or (event == "log" and not self._may_log(client, message)):
                return
            try:
                inner(sid, message)
            except Exception as error:
                # NiceGUI handles the errors of event handlers itself, so that the message was malformed.
                if not self._log_limiter.acquire(client.id):
                    logger.info(
                        "malformed event of a window", event_name=event, cause=repr(error)[:MAX_CAUSE_CHARACTERS]
                    )

        return handle

    def _client(self, sid: str, message: Any) -> Client | None:
        """Return the page that the message names if the socket is that page's and its session has not ended."""
        client_id = self._clients.get(sid)
        if client_id is None or not isinstance(message, dict) or message.get("client_id") != client_id:
            return None
        client = Client.instances.get(client_id)
        return client if client and not _has_ended(session_of(client.request)) else None

    def _may_open(self, sid: str, client_id: object) -> bool:
        client = Client.instances.get(client_id) if isinstance(client_id, str) else None
        if client is None:
            return False
        session = session_of(client.request)
        if session is None:
            return True
        opened = self._server.get_environ(sid)
        return not _has_ended(session) and self._session_id(_connection(opened)) == session.identity.session_id

    def _may_log(self, client: Client, message: dict[str, Any]) -> bool:
        session = session_of(client.request)
        if session is None or message.get("level") not in ("debug", "info", "warning", "error"):
            return False
        message["message"] = str(message.get("message"))[:MAX_LOG_CHARACTERS]
        return not self._log_limiter.acquire(session.identity.session_id)

    def _session_id(self, connection: HTTPConnection) -> str | None:
        tokens = self._cookie.read(connection)
        try:
            return tokens.identity.session_id if tokens else None
        except SessionExpired:
            return None


def _parsed(inner: Handler, server: socketio.AsyncServer) -> Handler:
    @wraps(inner)
    async def handle(eio_sid: str, data: Any) -> None:
        try:
            await inner(eio_sid, data)
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            logger.info("malformed message of a socket", cause=repr(error)[:MAX_CAUSE_CHARACTERS])
            await server.eio.disconnect(eio_sid)

    return handle


def _connection(environ: dict[str, Any]) -> HTTPConnection:
    return HTTPConnection(environ["asgi.scope"])


def _has_ended(session: UserSession | None) -> bool:
    return session is not None and session.has_ended


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
