"""Security headers of responses, and the id of each request."""

import json
import re
from types import FunctionType

import httpx
import pytest
import structlog
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse
from starlette.middleware.gzip import GZipMiddleware

from pages.http.headers import HEADERS, PagePolicy, SecurityHeaders
from pages.http.request_log import RequestLog
from services.infra.logging import configure
from services.settings import LogFormat

PAGE = """<html>
  <head>
    <script>first()</script>
    <script type="module" src="/x.js"></script>
  </head>
  <body>const text = "<script>smuggled()</script>";</body>
</html>"""


def site() -> httpx.AsyncClient:
    """Build an app with a compressed page, like NiceGUI's, and a response that is not a page."""
    pages = FastAPI()

    @pages.get("/page", response_class=HTMLResponse)
    async def page() -> str:
        return PAGE + "<!-- " + "x" * 1000 + " -->"

    pages.add_middleware(PagePolicy)
    pages.add_middleware(GZipMiddleware)
    app = FastAPI()

    @app.get("/data.csv", response_class=PlainTextResponse)
    async def data(request: Request) -> str:
        structlog.get_logger().info("at work", password="hush")
        return "a,b"

    app.mount("/", pages)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestLog)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app.test")


def policy_of(answer: httpx.Response) -> dict[str, str]:
    parts = (part.strip().partition(" ") for part in answer.headers["content-security-policy"].split(";"))
    return {name: values for name, _, values in parts}


async def test_the_scripts_of_a_page_run_by_a_nonce_that_is_new_each_time() -> None:
    async with site() as http:
        nonces = set()
        for _ in range(3):
            answer = await http.get("/page")
            assert answer.headers["content-encoding"] == "gzip"
            policy = policy_of(answer)
            assert "'unsafe-inline'" not in policy["script-src"]
            nonce = re.search(r"'nonce-([\w-]{20,})'", policy["script-src"])
            assert nonce
            assert re.findall(r'<script nonce="([^"]+)"', answer.text) == [nonce[1]] * 2
            assert '"<script>smuggled()' in answer.text
            nonces.add(nonce[1])
    assert len(nonces) == 3


async def test_a_request_that_is_kept_does_not_keep_the_page() -> None:
    kept: list[Request] = []
    pages = FastAPI()

    @pages.get("/page", response_class=HTMLResponse)
    async def page(request: Request) -> str:
        kept.append(request)
        return "<html>" + "x" * 100_000

    pages.add_middleware(PagePolicy)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(pages), base_url="http://app.test") as http:
        await http.get("/page")
    # Starlette's request references the send function, which references its closure.
    found = [kept[0]._send]
    while found:
        enclosed = [cell.cell_contents for cell in getattr(found.pop(), "__closure__", None) or ()]
        assert not [each for each in enclosed if isinstance(each, bytes) and len(each) > 50_000]
        found += [each for each in enclosed if isinstance(each, FunctionType)]


async def test_nobody_may_frame_a_page_or_send_its_forms_elsewhere() -> None:
    async with site() as http:
        answer = await http.get("/page")
    policy = policy_of(answer)
    assert (policy["frame-ancestors"], policy["form-action"], policy["object-src"]) == ("'none'", "'self'", "'none'")
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert "strict-transport-security" not in answer.headers


async def test_what_is_no_page_may_do_nothing() -> None:
    async with site() as http:
        answer = await http.get("/data.csv")
    assert policy_of(answer)["default-src"] == "'none'"
    assert "sandbox" in policy_of(answer)


async def test_behind_tls_the_browser_is_told_to_stay_there() -> None:
    async with site() as http:
        answer = await http.get("https://app.test/page")
    assert answer.headers["strict-transport-security"].startswith("max-age=")


async def test_each_request_has_a_name_that_its_lines_carry(capsys: pytest.CaptureFixture[str]) -> None:
    configure(LogFormat.JSON)
    try:
        async with site() as http:
            given = await http.get("/data.csv?token=hush", headers={"X-Request-ID": "from-the-proxy.1"})
            made = await http.get("/data.csv", headers={"X-Request-ID": 'forged" \\n line'})
    finally:
        structlog.reset_defaults()
    assert given.headers["x-request-id"] == "from-the-proxy.1"
    assert re.fullmatch(r"[0-9a-f]{16}", made.headers["x-request-id"])
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["event"], line["request_id"]) for line in lines] == [
        ("at work", "from-the-proxy.1"),
        ("request", "from-the-proxy.1"),
        ("at work", made.headers["x-request-id"]),
        ("request", made.headers["x-request-id"]),
    ]
    assert (lines[1]["method"], lines[1]["path"], lines[1]["status"]) == ("GET", "/data.csv", 200)
    assert "hush" not in str(lines)
