"""AuthMiddleware and the session routes over HTTP, without a user interface."""

from collections.abc import AsyncIterator
from functools import partial
from types import SimpleNamespace
from typing import cast
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI, Request
from pydantic import SecretStr
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection

from pages.http.auth_middleware import AuthMiddleware, local_path, session_of
from pages.page.services import Services
from pages.page.session_cookie import NAME, SessionCookie
from pages.session.routes import session_routes
from services.auth.client import Auth, Tokens
from services.auth.sessions import Sessions
from services.people.session_uses import SessionUses, discard_session
from tests.world import Person, World

pytestmark = pytest.mark.integration
SECRET = SecretStr("a secret of the tests")


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    sessions = Sessions(world.auth)
    cookie = SessionCookie(SECRET)
    context = SimpleNamespace(
        auth=world.auth,
        cookie=cookie,
        database=world.database,
        enter_demo=None,
        session_uses=SessionUses(world.database),
        sessions=sessions,
    )
    app = FastAPI()
    app.include_router(session_routes(cast(Services, context)))

    @app.get("/sign-in")
    async def sign_in() -> str:
        return "sign in"

    @app.get("/{path:path}")
    async def page(request: Request, path: str) -> str:
        session = session_of(request)
        assert session
        return session.identity.email

    app.add_middleware(
        AuthMiddleware, cookie=cookie, sessions=sessions, discard=partial(discard_session, world.database)
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app.test") as client:
        yield client


async def enter(http: httpx.AsyncClient, person: Person, **fields: str) -> httpx.Response:
    return await http.post("/session", data={"email": person.email, "password": person.password, **fields})


async def test_without_a_session_every_page_leads_to_sign_in_and_back(http: httpx.AsyncClient) -> None:
    answer = await http.get("/monitoring?tab=scans")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/sign-in?next={quote('/monitoring?tab=scans')}"
    assert (await http.get("/sign-in")).status_code == 200


async def test_signing_in_sets_a_cookie_that_scripts_and_other_sites_do_not_get(
    http: httpx.AsyncClient, world: World
) -> None:
    person = await world.person()
    answer = await enter(http, person, next="/streams/1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/streams/1")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert (await http.get("/anything")).json() == person.email


async def test_behind_tls_the_cookie_is_secure(http: httpx.AsyncClient, world: World) -> None:
    http.base_url = httpx.URL("https://app.test")
    assert "Secure" in (await enter(http, await world.person())).headers["set-cookie"]


@pytest.mark.parametrize("target", ["https://evil.test/", "//evil.test", "/\\evil.test", "javascript:alert(1)", ""])
async def test_signing_in_never_leads_to_another_site(http: httpx.AsyncClient, world: World, target: str) -> None:
    answer = await enter(http, await world.person(), next=target)
    assert answer.headers["location"] == "/"
    assert local_path(target) == "/"


async def test_a_wrong_password_goes_back_with_a_reason_and_no_cookie(http: httpx.AsyncClient, world: World) -> None:
    person = await world.person()
    answer = await http.post("/session", data={"email": person.email, "password": "wrong", "next": "/alerts"})
    assert answer.headers["location"] == "/sign-in?reason=wrong&next=%2Falerts#"
    assert "set-cookie" not in answer.headers


async def test_an_auth_server_that_is_away_is_said_so(world: World) -> None:
    async with Auth(url="http://127.0.0.1:9", key=SecretStr("key")) as auth:
        context = SimpleNamespace(auth=auth, cookie=SessionCookie(SECRET), enter_demo=None, sessions=Sessions(auth))
        app = FastAPI()
        app.include_router(session_routes(cast(Services, context)))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app.test") as client:
            answer = await client.post("/session", data={"email": "a@b.c", "password": "x"})
    assert answer.headers["location"].startswith("/sign-in?reason=unavailable")


async def test_a_tampered_cookie_is_no_session(http: httpx.AsyncClient, world: World) -> None:
    await enter(http, await world.person())
    value = http.cookies[NAME]
    forged = SessionCookie(SecretStr("another secret"))._serializer.dumps(["x", "y"])
    for bad in (value[:-2] + "xx", "", "nonsense", str(forged)):
        http.cookies.clear()
        http.cookies.set(NAME, bad)
        assert (await http.get("/monitoring")).status_code == 303


async def test_a_form_of_another_site_is_refused(http: httpx.AsyncClient, world: World) -> None:
    person = await world.person()
    await enter(http, person)
    answer = await http.post("/session/end", headers={"origin": "https://evil.test"})
    assert answer.status_code == 403
    assert (await http.get("/still-in")).json() == person.email
    assert (await http.post("/session/end", headers={"origin": "http://app.test"})).status_code == 303


async def test_signing_out_ends_the_session_for_the_cookie_too(http: httpx.AsyncClient, world: World) -> None:
    await enter(http, await world.person())
    stolen = http.cookies[NAME]
    answer = await http.post("/session/end")
    assert answer.headers["location"] == "/sign-in?reason=signed-out"
    http.cookies.clear()
    http.cookies.set(NAME, stolen)
    answer = await http.get("/monitoring")
    assert answer.status_code == 303
    assert "reason=expired" in answer.headers["location"]


async def test_renewing_needs_a_session(http: httpx.AsyncClient, world: World) -> None:
    assert (await http.post("/session/renew")).status_code == 401
    await enter(http, await world.person())
    answer = await http.post("/session/renew")
    assert answer.status_code == 204
    assert NAME in answer.headers["set-cookie"]


async def test_tokens_about_to_end_are_refreshed_on_the_way(
    http: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pages.http.auth_middleware.LATE_SHARE", 1000)
    await enter(http, await world.person())
    before = http.cookies[NAME]
    answer = await http.get("/page")
    assert answer.status_code == 200
    assert http.cookies[NAME] != before
    assert (await http.get("/page")).status_code == 200, "the new refresh token is the one that counts"


async def test_a_session_that_grows_beyond_all_cookies_ends_with_a_sentence(
    http: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the old cookie, whose refresh token is used, would lead from page to sign-in and back."""
    person = await world.person()
    of_others = await world.sql("select id from auth.sessions where user_id = %s", person.id)
    await enter(http, person)
    assert (await http.get("/page")).status_code == 200
    await world.sql(
        "update auth.users set raw_user_meta_data = jsonb_build_object('groups', (select jsonb_agg(gen_random_uuid())"
        " from generate_series(1, 900))) where id = %s",
        person.id,
    )
    monkeypatch.setattr("pages.http.auth_middleware.LATE_SHARE", 1000)
    answer = await http.get("/page")
    assert answer.headers["location"].endswith("reason=large")
    assert not [name for name in http.cookies if name.startswith(NAME)]
    assert (await enter(http, person)).headers["location"].startswith("/sign-in?reason=large")
    assert not http.cookies
    left = await world.sql("select id from auth.sessions where user_id = %s", person.id)
    assert left == of_others, "nobody could end them"


async def test_there_is_no_demo_where_there_is_none(http: httpx.AsyncClient) -> None:
    assert (await http.post("/session/demo")).status_code == 404


def test_the_cookie_keeps_what_it_was_given() -> None:
    cookie = SessionCookie(SECRET)
    tokens = Tokens(access_token=SecretStr("access"), refresh_token=SecretStr("refresh"))
    headers = MutableHeaders()
    cookie.write(headers, tokens, is_secure=False)
    value = headers["set-cookie"].split(";")[0].encode()
    assert cookie.read(HTTPConnection({"type": "http", "headers": [(b"cookie", value)]})) == tokens
