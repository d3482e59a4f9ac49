"""The door of pages: what a visitor without a session gets, by whatever path, method or header."""

import asyncio
from urllib.parse import urlsplit

import pytest

from tests.app_process import AppProcess
from tests.attacks.conftest import Visitor, enter
from tests.speed import deadline
from tests.world import World

pytestmark = pytest.mark.e2e
OPEN = [
    "/_nicegui/",
    "/_nicegui/monitoring",
    "/_nicegui/../monitoring",
    "/_nicegui/%2e%2e/monitoring",
    "/_nicegui/3.18.0/static/../../../main.py",
    "/styles/none.css",
    "/styles/a/b",
    "/sdk/a/b/c",
    "/sdk/%2e%2e/main.py",
    "/favicon.ico/monitoring",
    "/favicon.icons",
]


async def raw(url: str, method: str, path: str) -> tuple[int, bytes]:
    """Send a request with the path as it is, which clients would tidy; returns status and body."""
    target = urlsplit(url)
    reader, writer = await asyncio.open_connection(target.hostname, target.port)
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: {target.netloc}\r\nConnection: close\r\n\r\n".encode())
    async with asyncio.timeout(deadline(10)):
        answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


@pytest.mark.parametrize("path", OPEN)
async def test_open_paths_lead_to_no_page(app: AppProcess, path: str) -> None:
    """Assets are for everybody; a page built there would cost memory, and no session stands before it."""
    for method in ("GET", "HEAD", "POST"):
        status, body = await raw(app.url, method, path)
        assert status in (303, 307, 401, 403, 404, 405), (method, status)
        assert b"client_id" not in body


@pytest.mark.parametrize(
    "target",
    [
        "//evil.test",
        "/\\evil.test",
        "\\\\evil.test",
        "https:evil.test",
        "https:/evil.test",
        "///evil.test",
        "/\t/evil.test",
        "/\n/evil.test",
        " //evil.test",
        "/%0d%0aSet-Cookie: a=b",
        "/\r\nSet-Cookie: a=b",
        "javascript:alert(1)",
        "data:text/html,x",
        "/.\\evil.test",
        "//evil.test@localhost",
        "http://localhost@evil.test",
        "/x/..//evil.test",
    ],
)
async def test_a_sign_in_leads_to_no_other_site(world: World, visitor: Visitor, target: str) -> None:
    """A link to the sign-in page may be anybody's, and what follows a sign-in is believed."""
    ada = await world.person()
    http = visitor()
    answer = await http.post("/session", data={"email": ada.email, "password": ada.password, "next": target})
    location = answer.headers["location"]
    assert answer.status_code == 303
    assert "\n" not in location
    assert "\r" not in location
    # As browsers read it: tabs and newlines are dropped, and a backslash is a slash.
    read = location.replace("\t", "").replace("\\", "/").strip()
    assert read.startswith("/")
    assert not read.startswith("//")
    assert [name for name in http.cookies if name != "livewatch_session"] == []


@pytest.mark.parametrize(
    "origin",
    ["https://evil.test", "null", "http://localhost.evil.test", "http://127.0.0.1", "https://{netloc}.evil.test", "x"],
)
async def test_forms_of_other_origins_are_refused(world: World, visitor: Visitor, app: AppProcess, origin: str) -> None:
    """A page of another site can post a form here, with the person's cookies."""
    ada = await enter(visitor(), await world.person(await world.organization()))
    headers = {"Origin": origin.format(netloc=urlsplit(app.url).netloc)}
    for path in ("/session/end", "/session/renew", "/session"):
        assert (await ada.post(path, headers=headers)).status_code == 403
    assert (await ada.post("/session/renew", headers={"Origin": app.url})).status_code == 204
