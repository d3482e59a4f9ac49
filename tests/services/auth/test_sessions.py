"""Sessions against the real Auth server."""

import asyncio
from datetime import timedelta

import pytest
from pydantic import SecretStr

from services.auth import sessions as sessions_module
from services.auth.client import Auth, Tokens
from services.auth.sessions import Ending, Sessions, UserSession
from services.errors import AuthUnavailable, SessionExpired, WrongCredentials
from tests.world import World, until

pytestmark = pytest.mark.integration
ALWAYS = timedelta(days=1)


async def test_a_wrong_password_and_an_unknown_address_read_the_same(world: World) -> None:
    person = await world.person()
    messages = []
    for email, password in ((person.email, "wrong"), ("nobody@example.org", "wrong")):
        with pytest.raises(WrongCredentials) as refusal:
            await world.auth.sign_in(email, SecretStr(password))
        messages.append(str(refusal.value))
    assert messages[0] == messages[1]


async def test_an_auth_server_that_is_away_is_said_to_be() -> None:
    async with Auth(url="http://127.0.0.1:9", key=SecretStr("key")) as auth:
        with pytest.raises(AuthUnavailable):
            await auth.sign_in("ada@example.org", SecretStr("x"))


async def test_renewing_gives_new_tokens_for_the_same_session_and_tells_the_windows(world: World) -> None:
    person = await world.person()
    session = UserSession(person.tokens, world.auth)
    renewed: list[bool] = []
    leave = session.join(on_renew=lambda: renewed.append(True), on_end=lambda cause: None)
    try:
        assert not await session.renew()
        assert await session.renew(margin=ALWAYS)
        assert renewed == [True]
        assert session.tokens != person.tokens
        assert session.identity.session_id == person.identity.session_id
    finally:
        leave()


async def test_two_windows_that_renew_at_once_use_the_refresh_token_once(world: World) -> None:
    person = await world.person()
    session = UserSession(person.tokens, world.auth)
    await asyncio.gather(session.renew(margin=ALWAYS), session.renew(margin=ALWAYS))
    await session.check()
    assert session.identity.user_id == person.id


async def test_signing_out_ends_this_session_everywhere_and_no_other(world: World) -> None:
    person = await world.person()
    other = await world.auth.sign_in(person.email, SecretStr(person.password))
    registry = Sessions(world.auth)
    session = registry.get_or_create(person.tokens)
    ended: list[Ending] = []
    leave = session.join(on_renew=lambda: None, on_end=ended.append)
    await registry.sign_out(session)
    leave()
    assert ended == [Ending.SIGNED_OUT]
    with pytest.raises(SessionExpired):
        session.identity  # noqa: B018  # raises
    with pytest.raises(SessionExpired):
        await world.auth.verify(person.tokens)
    await world.auth.verify(other)


async def test_a_session_revoked_elsewhere_ends_its_windows(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions_module, "CHECK_INTERVAL_SECONDS", 0.05)
    monkeypatch.setattr(sessions_module, "MIN_CHECK_INTERVAL", timedelta(0))
    person = await world.person()
    session = Sessions(world.auth).get_or_create(person.tokens)
    ended: list[Ending] = []
    leave = session.join(on_renew=lambda: None, on_end=ended.append)
    try:
        await world.auth.sign_out(person.tokens)
        await until(lambda: ended, what="the window is told")
    finally:
        leave()


async def test_tokens_of_one_session_lead_to_one_session_object(world: World) -> None:
    person = await world.person()
    registry = Sessions(world.auth)
    session = registry.get_or_create(person.tokens)
    await session.renew(margin=ALWAYS)
    assert registry.get_or_create(person.tokens) is session


def test_no_token_shows_in_a_representation() -> None:
    tokens = Tokens(access_token=SecretStr("aaa.bbb.ccc"), refresh_token=SecretStr("rrr"))
    assert "bbb" not in repr(tokens)
    assert "rrr" not in repr(tokens)


async def test_a_process_takes_the_tokens_that_another_one_has_got_meanwhile(world: World) -> None:
    """Its own refresh token is used by then: using it again would end the session for everybody."""
    person = await world.person()
    ours, theirs = Sessions(world.auth), Sessions(world.auth)
    ours.get_or_create(person.tokens)
    other = theirs.get_or_create(person.tokens)
    await asyncio.sleep(1.1)  # a token's times are in whole seconds
    assert await other.renew(margin=ALWAYS)
    # Longer ago than a client may use a token twice.
    await world.sql(
        "update auth.refresh_tokens set updated_at = now() - interval '1 hour' where session_id = %s",
        person.identity.session_id,
    )
    session = ours.get_or_create(other.tokens)
    assert session.tokens == other.tokens
    # Older ones, of a window that was asleep, change nothing.
    assert ours.get_or_create(person.tokens).tokens == other.tokens
    assert await session.renew(margin=ALWAYS)
    await world.auth.verify(session.tokens)
