"""Delivery of pages: compression, and what is moved behind the first paint."""

import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import brotli
import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, StreamingResponse
from starlette.middleware.gzip import IdentityResponder
from starlette.types import Message

from components.shell.first_paint.first_paint import FirstPaint
from pages.delivery.page_compression import PageCompression
from pages.delivery.page_head import Extra, PageHead, extra_of
from pages.http.headers import PagePolicy

PAGE = """<html><head>
    <style>
      @layer theme, base, quasar;
      @import url("/watch/_nicegui/3.18.0/static/fonts.css") layer(base);
      @import url("/watch/_nicegui/3.18.0/static/quasar.css") layer(quasar);
    </style>
    <script type="importmap">{}</script>
    <link rel="stylesheet" href="/styles/1.css">
    <link rel="modulepreload" href="/a.js" />
  </head>
  <body><p>the page, several times over</p></body>
</html>"""

STYLES = r"a::after { content: '\1' }"


def site(*, paints: bool) -> tuple[httpx.AsyncClient, list[Request]]:
    """Build an app with a page of NiceGUI's shape, and return the requests that reach it."""
    app = FastAPI()
    kept: list[Request] = []

    @app.get("/page", response_class=HTMLResponse)
    async def page(request: Request) -> str:
        kept.append(request)
        if paints:
            extra = extra_of(request)
            extra.first = FirstPaint(
                html=b'<div>first<i id="lw-first-end"></i></div>', frame=b"<i>frame</i>", modules=("/b.js?x&</script>",)
            )
            extra.styles = rb"a::after { content: '\1' }"
        return PAGE * 20

    for middleware in (PageHead, PagePolicy, PageCompression):
        app.add_middleware(middleware)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app.test"), kept


@pytest.mark.parametrize(("accepts", "encoding"), [("gzip, br", "br"), ("gzip", "gzip"), ("identity", None)])
async def test_a_page_is_compressed_as_the_browser_accepts(accepts: str, encoding: str | None) -> None:
    http, _ = site(paints=False)
    answer = await http.get("/page", headers={"Accept-Encoding": accepts})
    assert answer.headers.get("content-encoding") == encoding
    assert "Accept-Encoding" in answer.headers["vary"]
    assert answer.text.count("several times over") == 20


async def test_a_page_in_parts_is_compressed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pages.delivery.page_compression.IN_THREAD_BYTES", 1)
    app = FastAPI()

    @app.get("/")
    async def lines() -> StreamingResponse:
        async def parts() -> AsyncIterator[str]:
            for n in range(100):
                yield f"line {n}\n"

        return StreamingResponse(parts(), media_type="text/plain")

    app.add_middleware(PageCompression)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app.test") as http:
        answer = await http.get("/", headers={"Accept-Encoding": "br"})
    assert answer.headers["content-encoding"] == "br"
    assert answer.text.splitlines() == [f"line {n}" for n in range(100)]


async def test_the_first_paint_comes_before_what_only_scripts_need() -> None:
    http, _ = site(paints=True)
    page = (await http.get("/page")).text
    order = [
        '<link rel="expect" href="#lw-first-end" blocking="render">',
        "<style>a::after { content: '\\1' }</style>",
        "<div>first",
        "<i>frame</i>",
        "static/quasar.css",
        '<script nonce="',
        '"/a.js"',
        '"/b.js?x&\\u003c/script>"',
        "<p>",
    ]
    places = [page.rindex(part, 0, page.index("<p>") + 3) for part in order]
    assert places == sorted(places)
    assert "modulepreload" not in page[: page.index("</html>")]
    assert "/styles/1.css" not in page[: page.index("</head>")]
    assert page.index("importmap") < page.index('"/a.js"')


async def test_the_first_paint_is_sent_before_the_rest_is_compressed() -> None:
    """As a part of its own, which a browser can show whole; without it the page is one part."""
    app = FastAPI()

    @app.get("/page", response_class=HTMLResponse)
    async def page(request: Request) -> str:
        extra_of(request).first = FirstPaint(html=b"<div>first</div>", frame=b"", modules=())
        return PAGE

    for middleware in (PageHead, PagePolicy, PageCompression):
        app.add_middleware(middleware)
    parts: list[bytes] = []

    async def send(message: Message) -> None:
        parts.append(message.get("body", b""))

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    headers = [(b"accept-encoding", b"br")]
    scope = {"type": "http", "method": "GET", "path": "/page", "headers": headers, "query_string": b""}
    await app(scope, receive, send)
    decompressor = brotli.Decompressor()
    first, *rest = [text for part in parts if part and (text := decompressor.process(part))]
    assert first.endswith(b"<div>first</div>\n")
    assert b"quasar.css" not in first
    assert b"several times over" in b"".join(rest)


async def test_a_tag_that_two_parts_share_has_its_nonce() -> None:
    app = FastAPI()
    cuts = [b"<p>\n<scr", b"ipt>let a;</script>\n", b"<script>let b;</script>", b"\n<script>let c;</script>"]

    @app.get("/")
    async def page() -> StreamingResponse:
        return StreamingResponse(iter(cuts), media_type="text/html")

    app.add_middleware(PagePolicy)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app.test") as http:
        answer = await http.get("/")
    nonces = re.findall(r'<script nonce="([^"]+)">', answer.text)
    assert len(nonces) == answer.text.count("<script") == 3
    assert set(nonces) == set(re.findall(r"'nonce-([^']+)'", answer.headers["content-security-policy"]))
    assert re.sub(r' nonce="[^"]+"', "", answer.text) == b"".join(cuts).decode()


async def test_a_page_without_a_first_paint_keeps_its_order_and_no_page_loads_the_fonts() -> None:
    http, _ = site(paints=False)
    page = (await http.get("/page")).text
    assert page.index("static/quasar.css") < page.index("<body>")
    first = page[: page.index("</html>")]
    assert "fonts.css" not in first


async def test_a_request_that_is_kept_does_not_keep_the_first_paint_nor_take_one_later() -> None:
    http, kept = site(paints=True)
    await http.get("/page")
    extra = extra_of(kept[0])
    assert (extra.first, extra.styles, extra.is_sent) == (None, b"", True)


def test_outside_of_a_page_nothing_is_added() -> None:
    assert extra_of(Request({"type": "http"})).is_sent
    assert Extra().parts_of(b"<body>") == [b"<body>"]


@pytest.mark.parametrize("accepts", ["br", "gzip"])
async def test_a_request_that_is_kept_does_not_keep_a_compressor(accepts: str) -> None:
    made: list[IdentityResponder] = []
    http, _ = site(paints=False)

    call: Callable[..., Any] = IdentityResponder.__call__

    def remember(responder: IdentityResponder, *arguments: Any) -> Any:
        made.append(responder)
        return call(responder, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(IdentityResponder, "__call__", remember)
        answer = await http.get("/page", headers={"Accept-Encoding": accepts})
    assert answer.headers["content-encoding"] == accepts
    assert [vars(responder)["_compressor"] for responder in made] == [None]
