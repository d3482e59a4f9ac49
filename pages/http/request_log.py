"""Request log: an id for each request, in its log events and its response, and one event per response."""

import re
import time
from secrets import token_hex

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from components.shell.theme.theme import STYLES_BELOW
from pages.http.auth_middleware import BADGE_BELOW, STATUS_BELOW
from pages.http.middleware import HttpMiddleware
from services.infra.root_path import route_path
from services.people.invitations import INVITATION_BELOW

logger = structlog.get_logger(__name__)

HEADER = "X-Request-ID"
VALID_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
# Assets of pages and frequent health checks are not logged.
UNLOGGED_PATHS = ("/_nicegui", STYLES_BELOW, "/favicon.ico", "/healthz", "/readyz", "/metrics")
SECRET_BELOW = (INVITATION_BELOW, STATUS_BELOW, BADGE_BELOW)


class RequestLog(HttpMiddleware):
    """ASGI middleware that keeps a proxy's request id or creates one, and logs path and status only."""

    async def serve_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = Headers(scope=scope).get(HEADER, "")
        request_id = given if VALID_ID.fullmatch(given) else token_hex(8)
        began = time.perf_counter()
        status = 0
        path = route_path(scope)

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._app(scope, receive, send_with_id)
            if not path.startswith(UNLOGGED_PATHS):
                # What follows is a secret.
                path = next((f"{each}…" for each in SECRET_BELOW if path.startswith(each)), path)
                milliseconds = round((time.perf_counter() - began) * 1000, 1)
                logger.info("request", method=scope["method"], path=path, status=status, milliseconds=milliseconds)
