"""What every response tells the browser about what it may do: a content security policy and its companions."""

import re
import secrets

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from components.shell.theme.theme import STYLES_BELOW

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
# A year; only where the browser came by TLS, since on a plain port the header means nothing.
STRICT_TRANSPORT = "max-age=31536000"
# Vue compiles templates in the browser, hence 'unsafe-eval'; Vue and Quasar set styles, hence their 'unsafe-inline'.
# A script of a page runs by its nonce only, so that what somebody smuggles into a page does not run.
POLICY = (
    "default-src 'self'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
# For everything that is not a page: no script of it runs, whoever opens it by itself.
BARE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; sandbox"
# The template has each of its scripts at the beginning of a line; no text of a row can stand there.
SCRIPT_TAG = re.compile(rb"^([ \t]*<script)(?=[ >])", re.MULTILINE)
# Scripts, styles, fonts and images that pages are made of; a policy of their own means nothing to them.
ASSETS = ("/_nicegui/", "/favicon.ico", STYLES_BELOW)


class SecurityHeaders:
    """ASGI middleware, outermost: the headers that every response has."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["scheme"] == "https":
                    headers.setdefault("Strict-Transport-Security", STRICT_TRANSPORT)
                if not scope["path"].startswith(ASSETS):
                    headers.setdefault("Content-Security-Policy", BARE_POLICY)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class PagePolicy:
    """ASGI middleware within NiceGUI, before it compresses: each page's policy, and its nonce in the page's scripts."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(ASSETS):
            await self._app(scope, receive, send)
            return
        start: Message | None = None
        body = b""

        async def send_with_nonce(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                if MutableHeaders(scope=message).get("content-type", "").startswith("text/html"):
                    start = message
                    return
            elif start is not None:
                body += message.get("body", b"")
                if message.get("more_body"):
                    return
                nonce = secrets.token_urlsafe(16)
                page = SCRIPT_TAG.sub(rb'\1 nonce="%b"' % nonce.encode(), body)
                # The window keeps its request, and that keeps this function.
                body = b""
                headers = MutableHeaders(scope=start)
                headers["Content-Security-Policy"] = POLICY.format(nonce=nonce)
                headers["Content-Length"] = str(len(page))
                await send(start)
                message = {**message, "body": page}
            await send(message)

        await self._app(scope, receive, send_with_nonce)
