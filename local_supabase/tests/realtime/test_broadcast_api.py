"""Broadcast over HTTP to one topic, through the official client and over plain HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import psycopg
import pytest
from realtime import AsyncRealtimeClient
from realtime.exceptions import RealtimeHTTPError
from websockets.asyncio.client import ClientConnection

from local_supabase.process import LocalSupabase
from local_supabase.tests.speed import deadline
from local_supabase.tests.tools import U1, Tokens, join_payload, raw_socket, receive, send

pytestmark = pytest.mark.integration

Owner = psycopg.AsyncConnection[Any]
API = "/realtime/v1/api/broadcast"


@pytest.fixture
async def http(local: LocalSupabase) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"apikey": local.status.anon_key.get_secret_value()}
    async with httpx.AsyncClient(base_url=local.status.api_url, headers=headers, timeout=deadline(20)) as client:
        yield client


async def join(socket: ClientConnection, name: str, **config: Any) -> None:
    await send(socket, f"realtime:{name}", "phx_join", join_payload(**config))
    assert (await receive(socket))["payload"]["status"] == "ok"


@pytest.mark.parametrize("name", ["room", "room/1?a=b", "日本, ÄÖ", "a:b%2Fc", "x/events/y"])
async def test_the_official_client_sends_over_http(local: LocalSupabase, tokens: Tokens, name: str) -> None:
    client = AsyncRealtimeClient(f"{local.status.api_url}/realtime/v1", tokens.of(U1))
    async with raw_socket(local.status.api_url, tokens.of(U1)) as socket:
        await join(socket, name)
        await client.channel(name).http_send("größer/als", {"n": 1})
        message = await receive(socket)
    assert message["topic"] == f"realtime:{name}"
    assert message["payload"] == {"event": "größer/als", "payload": {"n": 1}, "type": "broadcast"}


async def test_bytes_reach_clients_of_version_2(local: LocalSupabase, tokens: Tokens) -> None:
    client = AsyncRealtimeClient(f"{local.status.api_url}/realtime/v1", tokens.of(U1))
    async with raw_socket(local.status.api_url, tokens.of(U1), "2.0.0") as socket:
        await socket.send(json.dumps(["1", "1", "realtime:raw", "phx_join", join_payload()]))
        await receive(socket)
        await client.channel("raw").http_send("blob", b"\xff\x00")
        async with asyncio.timeout(deadline(10)):
            assert await socket.recv() == bytes([4, 12, 4, 0, 0]) + b"realtime:rawblob" + b"\xff\x00"


async def test_a_private_topic_takes_only_what_the_policies_allow(
    local: LocalSupabase, tokens: Tokens, owner: Owner, http: httpx.AsyncClient, topic: str
) -> None:
    path = f"{API}/{topic}/events/e"
    async with raw_socket(local.status.api_url, tokens.of(U1)) as socket:
        await join(socket, topic, private=True, token=tokens.of(U1))
        refused = await http.post(path, params={"private": "true"}, json={"n": 0})
        assert (refused.status_code, refused.json()["message"]) == (403, "Unauthorized")
        bearer = {"authorization": f"Bearer {tokens.of(U1)}"}
        assert (await http.post(path, params={"private": "true"}, json={"n": 1}, headers=bearer)).status_code == 202
        assert (await receive(socket))["payload"]["payload"] == {"n": 1}


@pytest.mark.parametrize("way", ["single", "batch"])
async def test_a_payload_up_to_the_documented_limit_is_taken(
    local: LocalSupabase, tokens: Tokens, http: httpx.AsyncClient, way: str
) -> None:
    async def post(size: int) -> int:
        payload = {"text": "x" * size}
        if way == "single":
            return (await http.post(f"{API}/big/events/e", json=payload)).status_code
        message = {"topic": "big", "event": "e", "payload": payload}
        return (await http.post(API, json={"messages": [message]})).status_code

    async with raw_socket(local.status.api_url, tokens.of(U1)) as socket:
        await join(socket, "big")
        assert await post(2_900_000) == 202
        assert len((await receive(socket))["payload"]["payload"]["text"]) == 2_900_000
        assert await post(3_000_000) == 422
        assert await post(9_000_000) == 413


async def test_a_long_event_reaches_clients_of_version_2_as_text(
    local: LocalSupabase, tokens: Tokens, http: httpx.AsyncClient
) -> None:
    async with raw_socket(local.status.api_url, tokens.of(U1), "2.0.0") as socket:
        await socket.send(json.dumps(["1", "1", "realtime:long", "phx_join", join_payload()]))
        await receive(socket)
        event = "é" * 200
        assert (await http.post(f"{API}/long/events/{event}", json={"n": 1})).status_code == 202
        assert (await receive(socket))[4] == {"event": event, "payload": {"n": 1}, "type": "broadcast"}


@pytest.mark.parametrize(
    ("query", "content_type", "status", "said"),
    [
        ("", "application/json", 400, "Could not parse"),
        ("", "text/plain", 415, "text/plain"),
        ("?private=true&persist=true", "application/json", 422, "persist"),
        ("?private=true&persist[ttl]=60", "application/json", 422, "persist"),
    ],
)
async def test_what_cannot_be_sent_is_refused_with_its_reason(
    http: httpx.AsyncClient, query: str, content_type: str, status: int, said: str
) -> None:
    path = f"{API}/room/events/e{query}"
    answer = await http.post(path, content=b"not json", headers={"content-type": content_type})
    assert answer.status_code == status
    assert said in answer.json()["message"]


async def test_the_official_client_shows_why_a_message_was_refused(local: LocalSupabase, tokens: Tokens) -> None:
    client = AsyncRealtimeClient(f"{local.status.api_url}/realtime/v1", tokens.of(U1))
    channel = client.channel("nobody's", {"config": {"private": True, "broadcast": None, "presence": None}})
    with pytest.raises(RealtimeHTTPError, match="Unauthorized"):
        await channel.http_send("e", {})


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PATCH", "PROPFIND"])
@pytest.mark.parametrize(
    ("path", "code", "said"),
    [
        ("/auth/v1/sso", "saml_provider_disabled", "SAML 2.0 is disabled"),
        ("/auth/v1/admin/oauth/clients", "feature_disabled", "OAuth server"),
        ("/auth/v1/factors/1/verify", "mfa_totp_enroll_not_enabled", "MFA"),
        ("/auth/v1/ssomething", "not_found", "/auth/v1/ssomething"),
        ("/auth/v1/", "not_found", "/auth/v1/"),
        ("/realtime/v1/api/tenants/x", "not_found", "/realtime/v1/api/tenants/x"),
        ("/realtime/v1", "not_found", "/realtime/v1"),
        ("/rest/v1/todos", "feature_disabled", "REST"),
        ("/storage/v1/bucket", "feature_disabled", "Storage"),
        ("/", "not_found", "/realtime/v1"),
    ],
)
async def test_a_path_that_is_not_served_is_named_in_json(
    http: httpx.AsyncClient, method: str, path: str, code: str, said: str
) -> None:
    answer = await http.request(method, path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/json"
    if method != "HEAD":
        body = answer.json()
        assert (body["code"], body["error_code"]) == (404, code)
        assert said in body["msg"]


async def test_a_method_that_a_path_does_not_take_is_named_in_json(http: httpx.AsyncClient) -> None:
    for path in ("/auth/v1/signup", API):
        answer = await http.get(path)
        assert (answer.status_code, answer.json()["error_code"]) == (405, "method_not_allowed")
        assert answer.headers["allow"] == "POST"
