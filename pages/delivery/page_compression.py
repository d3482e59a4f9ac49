"""Compression of pages: Brotli where the browser accepts it, which is a quarter smaller than gzip for many rows."""

import asyncio
from collections.abc import Callable

import brotli
from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware, GZipResponder, IdentityResponder
from starlette.types import ASGIApp, Receive, Scope, Send

from pages.delivery.assets import accepted_encoding

BROTLI_QUALITY = 5
GZIP_LEVEL = 5
"""A third of the default level's time, for nearly the same size."""
IN_THREAD_BYTES = 512 * 1024
"""Larger bodies, which take more than about 5 ms, are compressed in a thread."""


class PageCompression(GZipMiddleware):
    """ASGI middleware in the place of NiceGUI's own compression.

    A window keeps its request, and that keeps what sent the response; so compressors, of 0.3 to 2 MB, go with the last
    part of the body.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        accepts = Headers(scope=scope).get("accept-encoding", "") if scope["type"] == "http" else ""
        if encoding := accepted_encoding(accepts):
            responder = RESPONDERS[encoding](self.app, self.minimum_size)
            await responder(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class _BrotliResponder(IdentityResponder):
    content_encoding = "br"
    _compressor: brotli.Compressor | None = None

    async def apply_compression(self, body: bytes, *, more_body: bool) -> bytes:
        compressor = self._compressor or brotli.Compressor(quality=BROTLI_QUALITY)
        self._compressor = compressor if more_body else None

        def compress() -> bytes:
            start = compressor.process(body)
            return bytes(start + (compressor.flush() if more_body else compressor.finish()))

        return await asyncio.to_thread(compress) if len(body) >= IN_THREAD_BYTES else compress()


class _GzipResponder(GZipResponder):
    def __init__(self, app: ASGIApp, minimum_size: int) -> None:
        super().__init__(app, minimum_size, GZIP_LEVEL)

    async def apply_compression(self, body: bytes, *, more_body: bool) -> bytes:
        compressed = await super().apply_compression(body, more_body=more_body)
        if not more_body:
            self._compressor = None
        return compressed


RESPONDERS: dict[str, Callable[[ASGIApp, int], ASGIApp]] = {"br": _BrotliResponder, "gzip": _GzipResponder}
