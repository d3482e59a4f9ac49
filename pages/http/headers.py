"""Security headers of all responses, including the content security policy."""

import re
import secrets

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from components.shell.theme.theme import STYLES_BELOW
from pages.http.middleware import HttpMiddleware
from services.infra.root_path import route_path

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
# One year; sent over TLS only, since browsers ignore the header over plain HTTP.
STRICT_TRANSPORT = "max-age=31536000"
# Vue compiles templates in the browser, hence 'unsafe-eval'; Vue and Quasar set styles, hence 'unsafe-inline'.
# Scripts of a page run only with its nonce, so that injected ones do not.
PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
# For all responses except pages: no script runs if a browser opens one directly.
RESOURCE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; sandbox"
# The page template starts a line with each script tag; text from rows never starts a line.
SCRIPT_TAG = re.compile(rb"^([ \t]*<script)(?=[ >])", re.MULTILINE)
# Scripts, styles, fonts and images of pages, to which a policy of their own does not apply.
ASSETS = ("/_nicegui/", "/favicon.ico", STYLES_BELOW)


class SecurityHeaders(HttpMiddleware):
    """Outermost ASGI middleware, which sets the headers of every response."""

    async def serve_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["scheme"] == "https":
                    headers.setdefault("Strict-Transport-Security", STRICT_TRANSPORT)
                if not route_path(scope).startswith(ASSETS):
                    headers.setdefault("Content-Security-Policy", RESOURCE_POLICY)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class PagePolicy(HttpMiddleware):
    """ASGI middleware inside NiceGUI, before compression: sets each page's policy and adds its nonce to the scripts.

    A page in parts stays in parts. A line that a part does not end waits for the next one, so that no tag is cut.
    """

    async def serve_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if route_path(scope).startswith(ASSETS):
            await self._app(scope, receive, send)
            return
        nonce = b""
        kept = b""

        async def send_with_nonce(message: Message) -> None:
            nonlocal nonce, kept
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    nonce = secrets.token_urlsafe(16).encode()
                    headers["Content-Security-Policy"] = PAGE_POLICY.format(nonce=nonce.decode())
                    del headers["Content-Length"]
            elif nonce:
                body, kept = kept + message.get("body", b""), b""
                if message.get("more_body"):
                    whole, end, kept = body.rpartition(b"\n")
                    body = whole + end
                message = {**message, "body": SCRIPT_TAG.sub(rb'\1 nonce="%b"' % nonce, body)}
            await send(message)

        await self._app(scope, receive, send_with_nonce)
