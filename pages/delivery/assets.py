"""Scripts, styles and fonts of pages, kept in memory in the encodings that browsers accept."""

import asyncio
import gzip
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import brotli
import structlog
from nicegui.version import __version__
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from components.shell.theme.theme import IMMUTABLE_CACHE_CONTROL, STYLES_BELOW
from pages.http.middleware import HttpMiddleware
from services.infra.root_path import route_path

logger = structlog.get_logger(__name__)

OF_NICEGUI = f"/_nicegui/{__version__}/"
KEPT_BELOW = (OF_NICEGUI, "/_nicegui/reconnect-", STYLES_BELOW)
"""Paths that name a version or a hash of their content, so that the content never changes."""
CHANGING_BELOW = f"{OF_NICEGUI}dynamic_resources/"
COMPRESSIBLE = ("text/", "application/javascript", "application/json", "image/svg+xml")
MIN_COMPRESSED_BYTES = 500
MAX_KEPT_BYTES = 32 * 2**20
"""Bytes of all kept bodies; beyond that, files are passed through."""
MAX_FILE_BYTES = 4 * 2**20
QUIET_SECONDS = 5.0
"""Time without a request for a new file, after which the kept ones are compressed once more, as small as possible."""

Compress = Callable[[bytes], bytes]


def _quick(body: bytes) -> bytes:
    return bytes(brotli.compress(body, quality=5))


def _thorough(body: bytes) -> bytes:
    return bytes(brotli.compress(body, quality=11))


ENCODINGS: dict[str, Compress] = {"br": _quick, "gzip": lambda body: gzip.compress(body, 9, mtime=0)}
"""Encodings, the best first. Browsers that know Zstandard know Brotli, which is smaller here."""


@dataclass(slots=True)
class _Asset:
    """One file: its headers, and its body by encoding; an empty encoding is the body as it is."""

    headers: list[tuple[bytes, bytes]]
    bodies: dict[str, bytes]
    tag: str
    is_compressible: bool
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    is_thorough: bool = False

    async def encoded(self, encoding: str) -> bytes:
        """Return the body in an encoding, compressed in a thread at the first request."""
        async with self.lock:
            if encoding not in self.bodies:
                quick = await asyncio.to_thread(ENCODINGS[encoding], self.bodies[""])
                self.bodies.setdefault(encoding, quick)
        return self.bodies[encoding]


class Assets(HttpMiddleware):
    """ASGI middleware that answers requests for immutable files from memory, and asks the app for each file once.

    A file is compressed quickly when it is first requested, and thoroughly in the background once no new file has been
    requested for a while.
    """

    def __init__(self, app: ASGIApp, *, quiet_seconds: float = QUIET_SECONDS) -> None:
        super().__init__(app)
        self._assets: dict[str, _Asset] = {}
        self._kept_bytes = 0
        self._quiet_seconds = quiet_seconds
        self._shrinking: asyncio.Task[None] | None = None

    async def serve_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = route_path(scope)
        headers = Headers(scope=scope)
        if (
            scope["method"] not in ("GET", "HEAD")
            or not path.startswith(KEPT_BELOW)
            or path.startswith(CHANGING_BELOW)
            or "range" in headers
        ):
            await self._app(scope, receive, send)
            return
        asset = self._assets.get(path)
        if asset is None and scope["method"] == "GET":
            asset = await self._fetch(path, scope, send)
            if asset is None:
                return
        if asset is None:
            await self._app(scope, receive, send)
            return
        await _answer(asset, headers, send, with_body=scope["method"] == "GET")

    async def _fetch(self, path: str, scope: Scope, send: Send) -> _Asset | None:
        """Ask the app for a file and keep it; passes on what is not to be kept, and returns None then.

        The app is not told when the client goes away: it would send a part of the file, and that part would be kept for
        everybody.
        """
        messages: list[Message] = []

        async def collect(message: Message) -> None:
            messages.append(message)

        plain = {**scope, "headers": [each for each in scope["headers"] if each[0] not in _CONDITIONAL]}
        await self._app(plain, _staying_client(), collect)
        body = b"".join(message.get("body", b"") for message in messages)
        asset = _asset_of(messages[0], body)
        if asset is None or len(body) > MAX_FILE_BYTES or self._kept_bytes + len(body) > MAX_KEPT_BYTES:
            for message in messages:
                await send(message)
            return None
        if path not in self._assets:
            self._assets[path] = asset
            self._kept_bytes += len(body)
            self._shrink_later()
        return self._assets[path]

    def _shrink_later(self) -> None:
        if self._shrinking is not None:
            self._shrinking.cancel()
        self._shrinking = asyncio.create_task(self._shrink(), name="compression of assets")

    async def _shrink(self) -> None:
        """Compress every kept file thoroughly, one at a time, after a quiet time."""
        await asyncio.sleep(self._quiet_seconds)
        for asset in list(self._assets.values()):
            if asset.is_compressible and not asset.is_thorough:
                smallest = await asyncio.to_thread(_thorough, asset.bodies[""])
                asset.bodies["br"] = smallest
                asset.is_thorough = True
        logger.debug("assets compressed", files=len(self._assets), kept_bytes=self._kept_bytes)


def _staying_client() -> Receive:
    """Return the messages of a client that sends no body and never disconnects."""
    request: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if not request:
            await asyncio.Event().wait()
        return request.pop()

    return receive


# What the app must not act on, since its answer is kept for everybody.
_CONDITIONAL = (b"accept-encoding", b"if-none-match", b"if-modified-since", b"cookie")


def _asset_of(start: Message, body: bytes) -> _Asset | None:
    """Return the file of a response; None if the response must not be kept for everybody."""
    if start["type"] != "http.response.start" or start["status"] != 200:
        return None
    headers = MutableHeaders(raw=list(start["headers"]))
    if "set-cookie" in headers or "content-encoding" in headers:
        return None
    if headers.get("content-length", str(len(body))) != str(len(body)):
        return None
    for name in ("content-length", "etag", "last-modified", "date"):
        del headers[name]
    headers["Cache-Control"] = IMMUTABLE_CACHE_CONTROL
    kind = headers.get("content-type", "")
    is_compressible = kind.startswith(COMPRESSIBLE) and len(body) >= MIN_COMPRESSED_BYTES
    if is_compressible:
        headers.add_vary_header("Accept-Encoding")
    return _Asset(headers.raw, {"": body}, hashlib.sha256(body).hexdigest()[:20], is_compressible)


async def _answer(asset: _Asset, request: Headers, send: Send, *, with_body: bool) -> None:
    encoding = accepted_encoding(request.get("accept-encoding", "")) if asset.is_compressible else ""
    # The encodings are different bytes, hence different tags.
    tag = f'"{asset.tag}-{encoding or "plain"}"'
    headers = MutableHeaders(raw=list(asset.headers))
    headers["ETag"] = tag
    if tag in (each.strip().removeprefix("W/") for each in request.get("if-none-match", "").split(",")):
        await send({"type": "http.response.start", "status": 304, "headers": headers.raw})
        await send({"type": "http.response.body", "body": b""})
        return
    body = await asset.encoded(encoding)
    if encoding:
        headers["Content-Encoding"] = encoding
    headers["Content-Length"] = str(len(body))
    await send({"type": "http.response.start", "status": 200, "headers": headers.raw})
    await send({"type": "http.response.body", "body": body if with_body else b""})


def accepted_encoding(accepts: str) -> str:
    """Return the best encoding that an Accept-Encoding header allows; an empty string for none."""
    allowed = {}
    for each in accepts.lower().split(","):
        name, _, parameter = each.partition(";")
        quality = parameter.strip().removeprefix("q=")
        allowed[name.strip()] = quality not in ("0", "0.0", "0.00", "0.000")
    return next((name for name in ENCODINGS if allowed.get(name, allowed.get("*", False))), "")
