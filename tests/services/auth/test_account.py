"""Changes of an account against the real Auth server."""

import time

import httpx
import pytest
from pydantic import SecretStr

from services.auth.client import Auth
from services.auth.password_check import PasswordCheck
from services.auth.sessions import Ending, Sessions
from services.errors import AccountRefused, SessionExpired, TooManyAttempts, WrongCredentials
from services.people.session_uses import open_sessions
from tests.world import World

pytestmark = pytest.mark.integration
NEW = SecretStr("nanoseconds per foot")


async def test_a_changed_password_ends_the_other_sessions_and_keeps_this_one(world: World) -> None:
    person = await world.person()
    other = await world.auth.sign_in(person.email, SecretStr(person.password))
    await world.auth.change_password(person.tokens, NEW)
    await world.auth.verify(person.tokens)
    with pytest.raises(SessionExpired):
        await world.auth.verify(other)
    with pytest.raises(WrongCredentials):
        await world.auth.sign_in(person.email, SecretStr(person.password))
    await world.auth.sign_in(person.email, NEW)
    assert await world.auth.refresh(person.tokens)


@pytest.mark.parametrize(("password", "reason"), [("short", "at least"), ("x" * 73, "72")])
async def test_a_password_against_the_rules_is_refused_with_the_reason(
    world: World, password: str, reason: str
) -> None:
    person = await world.person()
    with pytest.raises(AccountRefused, match=reason):
        await world.auth.change_password(person.tokens, SecretStr(password))
    with pytest.raises(AccountRefused, match=reason):
        await world.auth.open_account("weak@example.org", SecretStr(password))
    await world.auth.sign_in(person.email, SecretStr(person.password))


async def test_the_same_password_is_refused(world: World) -> None:
    person = await world.person()
    with pytest.raises(AccountRefused, match="different"):
        await world.auth.change_password(person.tokens, SecretStr(person.password))


async def test_a_changed_address_is_in_the_next_token(world: World) -> None:
    person = await world.person()
    session = Sessions(world.auth).get_or_create(person.tokens)
    address = f"new-{person.email}"
    assert await world.auth.change_email(session.tokens, address)
    assert await session.renew(is_refused=True)
    assert session.identity.email == address
    await world.auth.sign_in(address, SecretStr(person.password))


async def test_an_address_that_is_taken_is_refused(world: World) -> None:
    ada, bob = await world.person(), await world.person()
    with pytest.raises(AccountRefused, match="already"):
        await world.auth.change_email(ada.tokens, bob.email)


async def test_a_session_that_is_over_changes_nothing(world: World) -> None:
    person = await world.person()
    await world.auth.sign_out(person.tokens)
    with pytest.raises(SessionExpired):
        await world.auth.change_password(person.tokens, NEW)
    with pytest.raises(SessionExpired):
        await world.auth.change_email(person.tokens, "new@example.org")
    await world.auth.sign_in(person.email, SecretStr(person.password))


async def test_a_change_never_refreshes_the_tokens_of_a_machine_whose_clock_is_ahead(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The official client would exchange the refresh token, and the app's copy would end the session."""
    person, paths, now = await world.person(), list[str](), time.time()

    async def note(request: httpx.Request) -> None:
        paths.append(request.url.path)

    async with Auth(url=world.status.api_url, key=world.status.anon_key) as auth:
        auth._http.event_hooks["request"] = [note]
        monkeypatch.setattr(time, "time", lambda: now + 7200)
        await auth.change_password(person.tokens, NEW)
    monkeypatch.undo()
    assert paths == ["/auth/v1/user", "/auth/v1/user"]


async def test_signing_out_of_the_others_and_of_all(world: World) -> None:
    person = await world.person()
    hub, endings = Sessions(world.auth), dict[str, Ending]()
    here, there = await world.auth.sign_in(person.email, SecretStr(person.password)), person.tokens
    hub.get_or_create(there).join(on_renew=lambda: None, on_end=lambda ending: endings.update(there=ending))
    hub.get_or_create(here).join(on_renew=lambda: None, on_end=lambda ending: endings.update(here=ending))
    this = hub.get_or_create(here)
    await world.auth.sign_out(this.tokens, "others")
    hub.end_others(this)
    assert endings == {"there": Ending.EXPIRED}
    await world.auth.verify(here)
    with pytest.raises(SessionExpired):
        await world.auth.verify(there)
    await world.auth.sign_out(this.tokens, "global")
    with pytest.raises(SessionExpired):
        await world.auth.verify(here)


async def test_wrong_passwords_are_limited_for_the_user_and_leave_no_session(world: World) -> None:
    person, now = await world.person(), 0.0
    check = PasswordCheck(world.auth, clock=lambda: now)
    await check.verify(person.identity, SecretStr(person.password), address="")
    assert len(await open_sessions(world.database, person.identity)) == 1
    for _ in range(5):
        with pytest.raises(WrongCredentials):
            await check.verify(person.identity, SecretStr("wrong"), address="")
    with pytest.raises(TooManyAttempts, match="wrong too often"):
        await check.verify(person.identity, SecretStr(person.password), address="")
    now += 60
    await check.verify(person.identity, SecretStr(person.password), address="")
