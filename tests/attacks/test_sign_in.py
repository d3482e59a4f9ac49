"""The door of passwords: guessing, and locking others out by guessing."""

import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from pydantic import SecretStr

from services.auth.client import Auth
from services.errors import TooManyAttempts, WrongCredentials
from tests.app_process import AppProcess, project_settings, running
from tests.speed import deadline
from tests.world import Person, World

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
async def proxied(world: World, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AppProcess]:
    """Yield an app that believes this machine who its clients are."""
    settings = project_settings(world.status, tmp_path_factory.mktemp("proxied"))
    settings |= {
        "LIVEWATCH_TRUSTED_PROXIES": "127.0.0.1",
        "SUPABASE_SECRET_KEY": world.status.service_role_key.get_secret_value(),
    }
    async with running(settings) as app:
        yield app


@asynccontextmanager
async def place(app: AppProcess, address: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=app.url, timeout=deadline(20), headers={"X-Forwarded-For": address}) as http:
        yield http


async def attempt(http: httpx.AsyncClient, email: str, password: str) -> str:
    """Return the reason of the refusal, or where the sign-in led."""
    location = (await http.post("/session", data={"email": email, "password": password})).headers["location"]
    return location.partition("reason=")[2].partition("&")[0] or location


async def guesses(app: AppProcess, person: Person, address: str, count: int) -> list[str]:
    async with place(app, address) as http:
        return [await attempt(http, person.email, f"guess {number}") for number in range(count)]


async def test_nobody_is_locked_out_by_wrong_passwords_from_elsewhere(world: World, proxied: AppProcess) -> None:
    """Whoever knows an address could otherwise keep its owner out for ever."""
    ada = await world.person()
    answers = await guesses(proxied, ada, "198.51.100.1", 15)
    assert (answers[0], answers[-1]) == ("wrong", "slow")
    async with place(proxied, "203.0.113.9") as http:
        assert await attempt(http, ada.email, ada.password) == "/"


async def test_an_account_guessed_from_many_places_answers_later_and_still_opens(
    world: World, proxied: AppProcess
) -> None:
    """A botnet has an address for every guess: it is slowed down, and the owner is not locked out."""
    ada = await world.person()
    for number in range(22):
        assert await guesses(proxied, ada, f"198.51.100.{10 + number}", 1) == ["wrong"]
    async with place(proxied, "203.0.113.10") as http:
        assert await attempt(http, ada.email, ada.password) == "/"


async def test_an_address_of_ipv6_is_a_network(world: World, proxied: AppProcess) -> None:
    """Every client has 2^64 addresses of its own; a neighbour's network is another client."""
    ada = await world.person()
    answers = [await guesses(proxied, ada, f"2001:db8:0:7::{number:x}", 1) for number in range(1, 13)]
    assert answers[-1] == ["slow"]
    async with place(proxied, "2001:db8:0:8::1") as http:
        assert await attempt(http, ada.email, ada.password) == "/"


async def test_a_limit_of_the_auth_server_is_said_as_such(world: World, proxied: AppProcess) -> None:
    """Not as an address that was never confirmed: the answer is to wait."""
    ada = await world.person()
    async with Auth(url=world.status.api_url, key=world.status.anon_key) as auth:
        for _ in range(10):
            with pytest.raises(WrongCredentials):
                await auth.sign_in(ada.email, SecretStr("wrong"))
        with pytest.raises(TooManyAttempts):
            await auth.sign_in(ada.email, SecretStr("wrong"))
    async with place(proxied, "127.0.0.1") as http:
        assert await attempt(http, ada.email, ada.password) == "slow"
        page = (await http.get("/sign-in?reason=slow")).text
        assert "Too many attempts" in page
        assert "confirmed" not in page


async def test_strangers_do_not_choose_their_address_at_the_auth_server(world: World) -> None:
    """The header counts with the service key only, which no browser has."""
    ada = await world.person()
    key = world.status.anon_key.get_secret_value()
    url = f"{world.status.api_url}/auth/v1/token?grant_type=password"
    statuses = []
    async with httpx.AsyncClient(timeout=deadline(20)) as http:
        for number in range(12):
            headers = {"apikey": key, "Sb-Forwarded-For": f"192.0.2.{number}", "X-Forwarded-For": f"192.0.2.{number}"}
            answer = await http.post(url, headers=headers, json={"email": ada.email, "password": "wrong"})
            statuses.append(answer.status_code)
    assert statuses == [400] * 10 + [429] * 2


async def test_the_time_of_an_answer_does_not_tell_whether_there_is_such_an_account(
    world: World, proxied: AppProcess
) -> None:
    """Passwords are hashed slowly, so that an answer without a hash would be ten times as fast."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for number in range(10):
        ada = await world.person(signs_up=True)
        # Each from elsewhere, so that no limit answers instead; in turns, so that a busy machine slows both down.
        async with place(proxied, f"198.18.0.{number + 1}") as http:
            for is_known, email in ((True, ada.email), (False, f"not-{ada.email}")):
                began = time.perf_counter()
                assert await attempt(http, email, "wrong password") == "wrong"
                seconds[is_known].append(time.perf_counter() - began)
    known, unknown = (statistics.median(seconds[each]) for each in (True, False))
    assert 0.5 < known / unknown < 2, (seconds[True], seconds[False])
