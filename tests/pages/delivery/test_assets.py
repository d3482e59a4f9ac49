"""Files of pages: encodings, tags, and what is not kept."""

import asyncio
import gzip
from pathlib import Path

import brotli
import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import FileResponse, PlainTextResponse, Response
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Message

from pages.delivery.assets import OF_NICEGUI, Assets, accepted_encoding
from tests.speed import deadline
from tests.world import until

SCRIPT = "export const a = 1;\n" * 500
FONT = bytes(range(256)) * 20


class Site:
    """An app that compresses files itself, like NiceGUI's, and counts the requests that reach it."""

    def __init__(self, *, quiet_seconds: float = 60.0) -> None:
        self.asked: list[str] = []
        app = FastAPI()

        @app.get("/{path:path}")
        def file(path: str) -> Response:
            self.asked.append(path)
            if path.endswith("missing.js"):
                return PlainTextResponse("nothing here", status_code=404)
            if path.endswith(".woff2"):
                return Response(FONT, media_type="font/woff2")
            if path.endswith("mine.js"):
                return Response(SCRIPT, media_type="text/javascript", headers={"Set-Cookie": "a=b"})
            return Response(SCRIPT, media_type="text/javascript", headers={"ETag": '"the app"'})

        app.add_middleware(GZipMiddleware)
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(Assets(app, quiet_seconds=quiet_seconds)), base_url="http://app.test"
        )

    async def get(self, path: str, accepts: str = "identity", **headers: str) -> httpx.Response:
        return await self.http.get(path, headers={"Accept-Encoding": accepts, **headers})


STATIC = f"{OF_NICEGUI}static/"


@pytest.mark.parametrize(
    ("accepts", "encoding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("*", "br"),
        ("*;q=0", ""),
        ("identity", ""),
        ("", ""),
        ("GZIP", "gzip"),
        ("brotli, gzipped", ""),
    ],
)
def test_the_best_encoding_that_a_browser_accepts_is_chosen(accepts: str, encoding: str) -> None:
    assert accepted_encoding(accepts) == encoding


async def test_a_file_is_asked_for_once_and_sent_in_each_encoding() -> None:
    site = Site()
    for accepts, encoding in (("br", "br"), ("gzip", "gzip"), ("identity", None), ("br", "br")):
        answer = await site.get(f"{STATIC}vue.js", accepts)
        assert answer.text == SCRIPT
        assert answer.headers.get("content-encoding") == encoding
        assert "Accept-Encoding" in answer.headers["vary"]
        assert "immutable" in answer.headers["cache-control"]
    assert len(site.asked) == 1


async def test_a_browser_that_has_the_file_is_not_sent_it_again_but_another_encoding_is() -> None:
    site = Site()
    tag = (await site.get(f"{STATIC}vue.js", "br")).headers["etag"]
    again = await site.get(f"{STATIC}vue.js", "br", **{"If-None-Match": f'"other", W/{tag}'})
    assert (again.status_code, again.content) == (304, b"")
    other = await site.get(f"{STATIC}vue.js", "gzip", **{"If-None-Match": tag})
    assert (other.status_code, other.text) == (200, SCRIPT)


async def test_fonts_are_sent_as_they_are() -> None:
    site = Site()
    answer = await site.get(f"{STATIC}icons.woff2", "br")
    assert answer.content == FONT
    assert "content-encoding" not in answer.headers


async def test_the_head_of_a_kept_file_has_its_length_but_no_body() -> None:
    site = Site()
    length = (await site.get(f"{STATIC}vue.js")).headers["content-length"]
    head = await site.http.head(f"{STATIC}vue.js", headers={"Accept-Encoding": "identity"})
    assert (head.headers["content-length"], head.content) == (length, b"")


@pytest.mark.parametrize(
    "path",
    [
        f"{STATIC}missing.js",
        f"{STATIC}mine.js",
        f"{OF_NICEGUI}dynamic_resources/vue.js",
        "/monitoring",
        "/_nicegui/auto/static/vue.js",
    ],
)
async def test_what_may_change_or_is_one_users_is_not_kept(path: str) -> None:
    site = Site()
    for _ in range(2):
        await site.get(path)
    assert len(site.asked) == 2


async def test_a_part_of_a_file_is_left_to_the_app() -> None:
    site = Site()
    for _ in range(2):
        await site.get(f"{STATIC}vue.js", Range="bytes=0-9")
    assert len(site.asked) == 2


async def test_files_beyond_the_limit_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pages.delivery.assets.MAX_KEPT_BYTES", len(SCRIPT))
    site = Site()
    for name in ("a.js", "b.js", "b.js", "a.js"):
        assert (await site.get(STATIC + name)).text == SCRIPT
    assert [path.rpartition("/")[2] for path in site.asked] == ["a.js", "b.js", "b.js"]


async def test_many_first_requests_at_once_get_the_same_file() -> None:
    site = Site()
    answers = await asyncio.gather(*(site.get(f"{STATIC}vue.js", each) for each in ["br", "gzip"] * 10))
    assert {answer.text for answer in answers} == {SCRIPT}


async def test_a_browser_that_goes_away_leaves_the_whole_file_to_the_others(tmp_path: Path) -> None:
    script = tmp_path / "vue.js"
    script.write_text(SCRIPT * 100)
    app = FastAPI()
    app.get("/{path:path}")(lambda: FileResponse(script))
    app.add_middleware(BaseHTTPMiddleware, dispatch=lambda request, follow: follow(request))
    assets = Assets(app)
    sent: list[Message] = []

    async def leave() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    path = f"{STATIC}vue.js"
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}
    await asyncio.wait_for(assets(scope, leave, send), deadline(10))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(assets), base_url="http://app.test") as http:
        assert (await http.get(path)).text == SCRIPT * 100
    assert b"".join(each.get("body", b"") for each in sent).decode() == SCRIPT * 100


async def test_kept_files_shrink_once_it_is_quiet() -> None:
    site = Site(quiet_seconds=0)

    async def encoded() -> bytes:
        async with site.http.stream("GET", f"{STATIC}vue.js", headers={"Accept-Encoding": "br"}) as answer:
            return b"".join([each async for each in answer.aiter_raw()])

    smallest = bytes(brotli.compress(SCRIPT.encode(), quality=11))
    assert brotli.decompress(await encoded()) == SCRIPT.encode()
    assert len(smallest) < len(gzip.compress(SCRIPT.encode(), 9))

    async def is_smallest() -> bool:
        return await encoded() == smallest

    await until(is_smallest)
