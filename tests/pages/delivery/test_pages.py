"""Delivery of pages: compression, and what is moved behind the first paint."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, StreamingResponse
from starlette.middleware.gzip import IdentityResponder

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
            extra.start, extra.preloads, extra.styles = (
                b"<div>first</div>",
                b"<link rel=x>",
                rb"a::after { content: '\1' }",
            )
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
        "<style>a::after { content: '\\1' }</style>",
        "<div>first</div>",
        "static/quasar.css",
        'href="/a.js"',
        "<link rel=x>",
        "<p>",
    ]
    places = [page.index(part) for part in order]
    assert places == sorted(places)
    assert "/styles/1.css" not in page[: page.index("</head>")]
    assert page.index("importmap") < page.index('href="/a.js"')


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
    assert (extra.start, extra.styles, extra.preloads, extra.is_sent) == (b"", b"", b"", True)


def test_outside_of_a_page_nothing_is_added() -> None:
    assert extra_of(Request({"type": "http"})).is_sent
    assert Extra().add_to(b"<body>") == b"<body>"


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
