"""The door of sessions: stolen, tampered and outlived cookies."""

import httpx
import jwt
import pytest
from itsdangerous import URLSafeTimedSerializer
from pydantic import SecretStr

from services.auth.client import Tokens
from services.errors import SessionExpired
from tests.attacks.conftest import Visitor, enter
from tests.speed import deadline
from tests.world import World, until

pytestmark = pytest.mark.e2e
COOKIE = "livewatch_session"


async def is_in(http: httpx.AsyncClient) -> bool:
    return (await http.get("/monitoring")).status_code == 200


async def test_a_stolen_cookie_dies_with_the_sign_out(world: World, visitor: Visitor) -> None:
    """The cookie holds tokens and would be good for a month, if the session behind it were not asked for."""
    ada = await enter(visitor(), await world.person(await world.organization()))
    thief = visitor(cookies={COOKIE: ada.cookies[COOKIE]})
    assert await is_in(thief)
    assert (await ada.post("/session/end")).status_code == 303
    assert not await is_in(thief)


async def test_a_new_password_ends_the_other_sessions(world: World, visitor: Visitor) -> None:
    """A person who fears for a password changes it to throw others out."""
    person = await world.person(await world.organization())
    thief = await enter(visitor(), person)
    assert await is_in(thief)
    key = world.status.anon_key.get_secret_value()
    headers = {"apikey": key, "Authorization": f"Bearer {person.tokens.access_token.get_secret_value()}"}
    async with httpx.AsyncClient(headers=headers, timeout=deadline(10)) as auth:
        answer = await auth.put(f"{world.status.api_url}/auth/v1/user", json={"password": "a quite other password"})
        assert answer.status_code == 200

    async def is_out() -> bool:
        return not await is_in(thief)

    await until(is_out, within=10, what="the other session ends")


async def test_tampered_cookies_are_none(world: World, visitor: Visitor) -> None:
    """The access token in the cookie is not verified again, so that the cookie's own signature is the proof."""
    person = await world.person(await world.organization())
    ada = await enter(visitor(), person)
    value = ada.cookies[COOKIE]
    claims = person.tokens.identity.claims
    forged = jwt.encode(claims, "", algorithm="none")
    tokens = [forged, person.tokens.refresh_token.get_secret_value()]
    other_secret = URLSafeTimedSerializer("another secret", salt=COOKIE).dumps(tokens)
    payload, time, signature = value.rsplit(".", 2)
    for bad in (
        str(other_secret),
        f"{payload}.{time}.",
        f"{payload}.{time}.{signature[:-1]}{'A' if signature[-1] != 'A' else 'B'}x",
        f"{payload}.AAAAAA.{signature}",
        payload,
        "x" * 5000,
        "",
    ):
        assert not await is_in(visitor(cookies={COOKIE: bad})), bad[:40]
    assert await is_in(ada)


async def test_pages_and_answers_about_sessions_are_kept_by_no_cache(world: World, visitor: Visitor) -> None:
    """The next person at the browser, or a proxy between, would see them."""
    ada = await enter(visitor(), await world.person(await world.organization()))
    assert "no-store" in (await ada.get("/monitoring")).headers["cache-control"]
    assert "no-store" in (await visitor().get("/sign-in")).headers["cache-control"]


async def test_a_refresh_token_that_was_used_is_no_way_back(world: World) -> None:
    """A thief who took an old cookie from a backup would live on beside the person."""
    person = await world.person()
    first = person.tokens
    tokens = first
    for _ in range(3):
        tokens = await world.auth.refresh(tokens)
    await world.sql("update auth.refresh_tokens set updated_at = now() - interval '1 hour' where revoked")
    with pytest.raises(SessionExpired):
        await world.auth.refresh(Tokens(access_token=SecretStr("x"), refresh_token=first.refresh_token))
