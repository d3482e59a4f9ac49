"""The limits of the Realtime server and their error messages, on an instance with small limits."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosedOK

from local_supabase.errors import LocalSupabaseError, StartError
from local_supabase.process import LocalSupabase
from local_supabase.realtime.protocol.limits import limits_from
from local_supabase.tests.speed import deadline, product_timeout
from local_supabase.tests.tools import DEADLINE, MIGRATIONS, join_payload, raw_socket, receive, send

pytestmark = pytest.mark.integration

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
async def small(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalSupabase]:
    limits = {"connections": 3, "channels_per_client": 2, "payload": 1000, "idle_timeout": product_timeout(1.0)}
    data = tmp_path_factory.mktemp("small")
    async with LocalSupabase.start(data=data, migrations=MIGRATIONS, limits=limits, token_lifetime=120) as running:
        yield running


@pytest.fixture
async def socket(small: LocalSupabase) -> AsyncIterator[ClientConnection]:
    async with raw_socket(small.status.api_url, small.status.anon_key.get_secret_value()) as connection:
        yield connection


async def reason_of_join(socket: ClientConnection, topic: str) -> str | None:
    await send(socket, topic, "phx_join", join_payload(broadcast={"ack": True}))
    payload = (await receive(socket))["payload"]
    return str(payload["response"]["reason"]) if payload["status"] == "error" else None


async def test_a_client_joins_so_many_channels_and_no_more(socket: ClientConnection) -> None:
    assert await reason_of_join(socket, "realtime:a") is None
    assert await reason_of_join(socket, "realtime:b") is None
    assert await reason_of_join(socket, "realtime:c") == "ChannelRateLimitReached: Too many channels"
    await send(socket, "realtime:a", "phx_leave", {})
    assert [(await receive(socket))["event"] for _ in range(2)] == ["phx_reply", "phx_close"]
    assert await reason_of_join(socket, "realtime:c") is None


async def test_so_many_clients_are_served_and_a_place_gets_free_again(small: LocalSupabase) -> None:
    url, key = small.status.api_url, small.status.anon_key.get_secret_value()
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(raw_socket(url, key)) for _ in range(4)]
        for one in sockets[:3]:
            assert await reason_of_join(one, "realtime:a") is None
        assert await reason_of_join(sockets[3], "realtime:a") == "ConnectionRateLimitReached: Too many connected users"
        await send(sockets[0], "realtime:a", "phx_leave", {})
        await receive(sockets[0])
        assert await reason_of_join(sockets[3], "realtime:a") is None


async def test_a_broadcast_that_is_too_large_is_refused(socket: ClientConnection) -> None:
    assert await reason_of_join(socket, "realtime:a") is None
    await send(socket, "realtime:a", "broadcast", {"type": "broadcast", "event": "e", "payload": {"x": "y" * 1000}})
    assert (await receive(socket))["payload"] == {"status": "error", "response": {"reason": "Payload size exceeded"}}


async def test_a_silent_socket_is_closed_and_one_that_beats_stays(small: LocalSupabase) -> None:
    url, key = small.status.api_url, small.status.anon_key.get_secret_value()
    async with raw_socket(url, key) as silent, raw_socket(url, key) as beating:

        async def beat() -> None:
            while True:
                await beating.send(json.dumps({"topic": "phoenix", "event": "heartbeat", "payload": {}, "ref": "1"}))
                await receive(beating)
                await asyncio.sleep(0.2)

        heart = asyncio.create_task(beat())
        async with asyncio.timeout(deadline(DEADLINE)):
            with pytest.raises(ConnectionClosedOK) as caught:
                await silent.recv()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1000
        assert not heart.done()
        heart.cancel()
        await asyncio.gather(heart, return_exceptions=True)


async def test_guessing_a_password_is_slowed_down_for_that_address_only(small: LocalSupabase) -> None:
    headers = {"apikey": small.status.anon_key.get_secret_value()}
    async with httpx.AsyncClient(
        base_url=f"{small.status.api_url}/auth/v1", headers=headers, timeout=deadline(10)
    ) as http:
        for email in ("a@example.com", "b@example.com"):
            answer = await http.post("/signup", json={"email": email, "password": PASSWORD})
            assert answer.json()["expires_in"] == 120

        async def sign_in(email: str, password: str) -> httpx.Response:
            body = {"email": email, "password": password}
            return await http.post("/token", params={"grant_type": "password"}, json=body)

        answers = [await sign_in("a@example.com", "wrong") for _ in range(11)]
        assert [answer.status_code for answer in answers] == [400] * 10 + [429]
        refused = await sign_in("a@example.com", PASSWORD)
        assert refused.json() == {
            "code": 429,
            "error_code": "over_request_rate_limit",
            "msg": "Request rate limit reached",
        }
        assert (await sign_in("b@example.com", PASSWORD)).status_code == 200


async def test_an_unknown_limit_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(LocalSupabaseError, match=r"There is no limit 'speed': the limits are connections, "):
        limits_from({"speed": 1})
    with pytest.raises(StartError, match="There is no limit 'speed'"):
        async with LocalSupabase.start(data=tmp_path, migrations=MIGRATIONS, limits={"speed": 1}):
            pass
