"""The public page and the badges over HTTP, without a session."""

import re
from collections.abc import AsyncIterator
from functools import partial
from uuid import UUID
from xml.etree import ElementTree

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from pages.http.auth_middleware import AuthMiddleware
from pages.http.headers import SecurityHeaders
from pages.http.request_log import RequestLog
from pages.page.session_cookie import SessionCookie
from pages.status.badge import badge
from pages.status.routes import status_routes
from services.auth.sessions import Sessions
from services.errors import DatabaseUnavailable
from services.people.models import Role
from services.people.session_uses import discard_session
from services.status.pages import ChosenJob, StatusPageDraft, add_note, put_status_page, status_pages
from services.status.reading import Health, StatusReadings
from tests.services.status.test_reading import a_run
from tests.world import World

pytestmark = pytest.mark.integration
EVIL = "<script>alert(1)</script>\"' & \u202e\u05e9\u05dc\u05d5\u05dd"


@pytest.fixture
async def readings(world: World) -> AsyncIterator[StatusReadings]:
    async with StatusReadings(world.database) as each:
        yield each


@pytest.fixture
async def http(world: World, readings: StatusReadings) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of the routes behind the middleware of the app, below a root path."""
    app = FastAPI()
    app.include_router(status_routes(readings))
    discard = partial(discard_session, world.database)
    cookie = SessionCookie(SecretStr("a secret of the tests"))
    app.add_middleware(AuthMiddleware, cookie=cookie, sessions=Sessions(world.auth), discard=discard)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestLog)
    transport = httpx.ASGITransport(app, root_path="/watch")
    async with httpx.AsyncClient(transport=transport, base_url="https://app.test/watch") as client:
        yield client


async def published(world: World, name: str = "Nightly", status: str = "completed") -> tuple[UUID, str]:
    """Publish a job with this name, on a page with this title and a note; returns the page and its token."""
    org = await world.organization()
    admin = await world.person(org, role=Role.ADMIN)
    job = await a_run(world, org, "nightly", status)
    draft = StatusPageDraft(title=name, about=name, is_enabled=True, jobs=(ChosenJob(id=job, name=name),))
    id = await put_status_page(world.database, admin.identity, org, draft)
    await add_note(world.database, admin.identity, org, id, title=name, body=name)
    (page,) = await status_pages(world.database, admin.identity, org)
    assert page.token
    return id, page.token


async def test_a_page_is_plain_html_that_may_be_kept_for_half_a_minute(http: httpx.AsyncClient, world: World) -> None:
    _, token = await published(world)
    answer = await http.get(f"/status/{token}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=30"
    assert "noindex" in answer.headers["x-robots-tag"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "script" not in policy
    assert "set-cookie" not in answer.headers
    assert "All is well" in answer.text
    assert "Of the last 90 days, 1 had runs that succeeded and none that failed" in answer.text
    assert (await http.head(f"/status/{token}")).status_code == 200
    assert (await http.post(f"/status/{token}")).status_code == 405


async def test_texts_of_people_stay_texts(http: httpx.AsyncClient, world: World) -> None:
    _, token = await published(world, EVIL)
    page = (await http.get(f"/status/{token}")).text
    assert page.count("&lt;script&gt;") >= 4
    assert "<script" not in page
    assert "\u202e" not in page
    for path in (f"/badge/{token}.svg", f"/badge/{token}/scans/nightly.svg"):
        svg = (await http.get(path)).text
        assert not [each for each in ElementTree.fromstring(svg).iter() if each.tag.endswith("script")]
        assert "\u202e" not in svg


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "A" * 10_240, "..%2f..%2fsettings", "%00", "a/b/c"])
async def test_links_that_lead_nowhere_say_so_without_a_sign_in(http: httpx.AsyncClient, token: str) -> None:
    answer = await http.get(f"/status/{token}")
    assert (answer.status_code, "This link leads nowhere" in answer.text) == (404, True)
    answer = await http.get(f"/badge/{token}.svg")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "image/svg+xml")
    assert "status: unknown" in answer.text


async def test_badges_say_the_state_on_other_sites_and_are_asked_for_by_their_tag(
    http: httpx.AsyncClient, world: World
) -> None:
    _, token = await published(world, status="failed")
    answer = await http.get(f"/badge/{token}/scans/nightly.svg")
    assert answer.status_code == 200
    assert ElementTree.fromstring(answer.text).attrib["aria-label"] == "Nightly: failed"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    tag = answer.headers["etag"]
    again = await http.get(f"/badge/{token}/scans/nightly.svg", headers={"If-None-Match": f'"other", W/{tag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert "1 of 1 has a problem" in (await http.get(f"/badge/{token}.svg")).text
    for path in ("scans/other.svg", "agents/nightly.svg", "scans/nightly", "scans/nightly.svg/x", "people/nightly.svg"):
        assert (await http.get(f"/badge/{token}/{path}")).status_code == 404


async def test_a_database_that_does_not_answer_is_not_well_and_not_kept(
    http: httpx.AsyncClient, readings: StatusReadings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(token: str, *, address: str) -> None:
        raise DatabaseUnavailable("PostgreSQL at 10.0.0.7 does not respond.")

    monkeypatch.setattr(readings, "read", fail)
    for path in (f"/status/{'A' * 43}", f"/badge/{'A' * 43}.svg"):
        answer = await http.get(path)
        assert (answer.status_code, answer.headers["cache-control"]) == (503, "no-store")
        assert "10.0.0.7" not in answer.text
        assert re.search("not known|unknown", answer.text)


async def test_the_log_has_no_tokens(
    http: httpx.AsyncClient, world: World, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    _, token = await published(world)
    await http.get(f"/status/{token}")
    await http.get(f"/badge/{token}.svg")
    logged = "".join(capsys.readouterr()) + caplog.text
    assert token not in logged
    assert "/status/…" in logged


@pytest.mark.parametrize("name", ["", "\u200b", "x" * 5000, "]]>&<>\"'", "\x01\x1b[31m"])
def test_a_badge_of_any_name_is_well_formed_and_small(name: str) -> None:
    svg = badge(name, "Failed", Health.PROBLEM)
    width = float(ElementTree.fromstring(svg).attrib["width"])
    assert 0 < width < 500
