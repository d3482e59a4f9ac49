"""What becomes of each answer of chat and push providers, over HTTP receivers in their place."""

import asyncio
import json
import time
from importlib import import_module
from typing import Any

import httpx
import pytest

from services.delivery.channel_kind import SHAPES, ChannelKind
from services.delivery.couriers import fixed_hosts, plugins, posting
from services.delivery.couriers.providers import send_to_provider
from services.delivery.message import Answer, Message
from services.errors import AddressRefused
from tests.services.delivery.addresses import ADDRESSES, SECRETS
from tests.services.delivery.receiver import Receiver, receiver, status

TAKEN = {
    ChannelKind.SLACK: status(200, body="ok"),
    ChannelKind.TEAMS: status(202),
    ChannelKind.DISCORD: status(204),
    ChannelKind.TELEGRAM: status(200, body='{"ok": true, "result": {"message_id": 1}}'),
    ChannelKind.NTFY: status(200, body='{"id": "hwQ2YpKdmg", "event": "message"}'),
    ChannelKind.GOTIFY: status(200, body='{"id": 25, "message": "x"}'),
    ChannelKind.PUSHOVER: status(200, body='{"status": 1, "request": "e460545a"}'),
}
DRIP = "HTTP/1.1 200 Said\r\ncontent-length: 9000\r\n\r\no"
PORTAL = status(200, body="<html><title>Sign in to the network</title></html>")


class InPlace(httpx.AsyncBaseTransport):
    """Network in which every host is the receiver."""

    def __init__(self, there: Receiver) -> None:
        self._port = there.port
        self._inner = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._port)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


class Requests:
    """The library `requests` as plugins of Apprise have it, with the receiver in the place of every host."""

    def __init__(self, there: Receiver) -> None:
        self._there = there
        self._real: Any = import_module("requests")
        self.hosts: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def request(self, method: str, url: str, **given: Any) -> Any:
        assert (given["verify"], given["allow_redirects"]) == (True, False)
        assert given["timeout"] == (plugins.CONNECT_SECONDS, plugins.READ_SECONDS)
        scheme, _, rest = url.partition("://")
        host, _, path = rest.partition("/")
        self.hosts.append(f"{scheme}://{host}")
        given["headers"] = {**given["headers"], "host": host}
        return self._real.request(method, f"{self._there.url}/{path}", **given)

    def post(self, url: str, **given: Any) -> Any:
        return self.request("post", url, **given)


async def send(kind: ChannelKind, there: Receiver, message: Message | None = None) -> Answer:
    message = message or Message(title="Nightly failed", text="code 1")
    with pytest.MonkeyPatch.context() as patch:
        for module in ("slack", "workflows", "discord", "telegram", "pushover"):
            patch.setattr(import_module(f"apprise.plugins.{module}"), "requests", Requests(there))
        return await send_to_provider(kind, ADDRESSES[kind], message, transport=InPlace(there))


@pytest.mark.parametrize("kind", ADDRESSES)
async def test_what_a_provider_takes_is_delivered(kind: ChannelKind) -> None:
    async with receiver(TAKEN[kind]) as there:
        answer = await send(kind, there)
    assert answer.is_delivered
    assert answer.text.endswith("took it.")
    [request] = there.requests
    assert "127.0.0.1" not in request.headers["host"]


@pytest.mark.parametrize("kind", ADDRESSES)
@pytest.mark.parametrize(
    "answer",
    [
        status(500, body="oops"),
        status(503, "retry-after: 7"),
        status(408),
        status(999),
        "HTTP/1.1 500 Said\r\ncontent-length: 100\r\n\r\ncut off",
        "HTTP/1.1 2",
        "not HTTP at all\r\n\r\n",
        "",
    ],
)
async def test_trouble_is_tried_again(kind: ChannelKind, answer: str) -> None:
    async with receiver(answer) as there:
        said = await send(kind, there)
    assert (said.is_delivered, said.is_final) == (False, False)
    assert said.text.isprintable()


@pytest.mark.parametrize("kind", [ChannelKind.SLACK, ChannelKind.NTFY, ChannelKind.GOTIFY])
async def test_a_page_in_place_of_an_answer_is_no_delivery_where_the_form_of_answers_is_read(kind: ChannelKind) -> None:
    async with receiver(PORTAL) as there:
        said = await send(kind, there)
    assert (said.is_delivered, said.is_final) == (False, False)
    assert "Sign in to the network" in said.text


@pytest.mark.parametrize("kind", fixed_hosts.KINDS)
async def test_a_status_whose_body_breaks_off_is_tried_again_by_plugins(kind: ChannelKind) -> None:
    async with receiver("HTTP/1.1 404 Said\r\ncontent-length: 100\r\n\r\ncut off") as there:
        said = await send(kind, there)
    assert (said.is_delivered, said.is_final) == (False, False)
    assert said.text == f"{SHAPES[kind].label} was not reached."


@pytest.mark.parametrize("kind", ADDRESSES)
@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 413, 301, 302, 307])
async def test_a_refusal_for_good_and_a_redirect_are_final(kind: ChannelKind, code: int) -> None:
    async with receiver(status(code, "location: http://169.254.169.254/latest", body="no")) as there:
        said = await send(kind, there)
        assert len(there.requests) == 1, "no redirect is followed"
    assert (said.is_delivered, said.is_final) == (False, True)
    assert str(code) in said.text


@pytest.mark.parametrize(
    ("kind", "code", "body", "text"),
    [
        (ChannelKind.SLACK, 400, "invalid_payload", "400 Bad Request: invalid_payload"),
        (ChannelKind.SLACK, 404, "no_service", "404 Not Found: no_service"),
        (
            ChannelKind.TEAMS,
            400,
            {"error": {"code": "Bad", "message": "Malformed card"}},
            "400 Bad Request: Malformed card",
        ),
        (ChannelKind.DISCORD, 404, {"message": "Unknown Webhook", "code": 10015}, "404 Not Found: Unknown Webhook"),
        (
            ChannelKind.TELEGRAM,
            403,
            {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked by the user"},
            "403 Forbidden: Forbidden: bot was blocked by the user",
        ),
        (
            ChannelKind.NTFY,
            401,
            {"code": 40101, "http": 401, "error": "unauthorized"},
            "401 Unauthorized: unauthorized",
        ),
        (
            ChannelKind.GOTIFY,
            401,
            {"error": "Unauthorized", "errorCode": 401, "errorDescription": "you need a valid token"},
            "401 Unauthorized: you need a valid token",
        ),
        (
            ChannelKind.PUSHOVER,
            400,
            {"user": "invalid", "errors": ["user identifier is invalid"], "status": 0},
            "400 Bad Request: user identifier is invalid",
        ),
    ],
)
async def test_the_providers_own_reason_is_shown(kind: ChannelKind, code: int, body: object, text: str) -> None:
    async with receiver(status(code, body=body if isinstance(body, str) else json.dumps(body))) as there:
        assert (await send(kind, there)).text == text


@pytest.mark.parametrize("kind", ADDRESSES)
async def test_a_provider_that_is_busy_is_asked_once_and_tried_again_later(kind: ChannelKind) -> None:
    async with receiver(status(429, body="slow")) as there:
        said = await send(kind, there)
        assert len(there.requests) == 1
    assert (said.is_delivered, said.is_final) == (False, False)
    assert said.text.startswith("429 ")


@pytest.mark.parametrize("kind", [ChannelKind.NTFY, ChannelKind.GOTIFY])
async def test_a_server_that_is_busy_is_left_alone_for_as_long_as_it_says(kind: ChannelKind) -> None:
    async with receiver(status(429, "retry-after: 120", body="slow")) as there:
        said = await send(kind, there)
    assert (said.is_delivered, said.is_final, said.retry_after) == (False, False, 120)


async def test_telegrams_answer_says_when_to_try_again() -> None:
    body = {"ok": False, "description": "Too Many Requests", "parameters": {"retry_after": 35}}
    async with receiver(status(429, body=json.dumps(body))) as there:
        assert (await send(ChannelKind.TELEGRAM, there)).retry_after == 35


@pytest.mark.parametrize("value", ['"soon"', "-1", "null", "NaN", "[]"])
async def test_a_time_that_is_none_is_no_time(value: str) -> None:
    async with receiver(status(429, body=f'{{"parameters": {{"retry_after": {value}}}}}')) as there:
        assert (await send(ChannelKind.TELEGRAM, there)).retry_after is None


async def test_no_thread_rests_until_discord_takes_more() -> None:
    reset = int(time.time()) + 3600
    headers = ("x-ratelimit-remaining: 0", f"x-ratelimit-reset: {reset}")
    async with receiver(status(429, *headers, body='{"retry_after": 3600}')) as there:
        said = await send(ChannelKind.DISCORD, there)
        assert len(there.requests) == 1
    assert (said.is_delivered, said.is_final) == (False, False)
    assert said.retry_after == pytest.approx(3610, abs=30)


@pytest.mark.parametrize("kind", [ChannelKind.SLACK, ChannelKind.PUSHOVER])
async def test_a_provider_that_hangs_or_drips_is_left_and_holds_up_no_other(
    kind: ChannelKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fixed_hosts, "TIMEOUT_SECONDS", 0.5)
    async with receiver(*[DRIP] * fixed_hosts.MAX_THREADS) as there:
        there.is_kept_open = True
        dripped = await asyncio.gather(*(send(kind, there) for _ in range(9)))
        assert {each.text for each in dripped} == {f"{SHAPES[kind].label} did not answer within 0.5 s."}
        assert not any(each.is_final for each in dripped)
        assert len(there.requests) == fixed_hosts.MAX_THREADS, "those that waited are not sent"
        async with receiver(TAKEN[ChannelKind.DISCORD]) as other:
            assert (await send(ChannelKind.DISCORD, other)).is_delivered
        there.let_go()
    async with receiver(TAKEN[kind]) as there:
        assert (await send(kind, there)).is_delivered


async def test_a_plugin_waits_no_longer_than_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "READ_SECONDS", 0.2)
    async with receiver(None) as there:
        said = await send(ChannelKind.TEAMS, there)
    assert (said.is_final, said.text) == (False, "Microsoft Teams did not answer in time.")


async def test_a_server_that_hangs_or_answers_without_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = ChannelKind.GOTIFY
    monkeypatch.setattr(posting, "TIMEOUT_SECONDS", 0.2)
    async with receiver(None) as there:
        hung = await send(kind, there)
    async with receiver("HTTP/1.1 200 Said\r\n\r\n" + "x" * 5_000_000) as there:
        endless = await send(kind, there)
    async with receiver("HTTP/1.1 200 Said\r\ncontent-length: 9000\r\n\r\nno more than this") as there:
        there.is_kept_open = True
        slow = await send(kind, there)
    for said in (hung, endless, slow):
        assert (said.is_delivered, said.is_final) == (False, False)
        assert len(said.text) < 400
    assert "did not answer within" in hung.text


@pytest.mark.parametrize("kind", ADDRESSES)
async def test_no_secret_of_the_address_comes_back_in_what_people_see(
    kind: ChannelKind, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "apprise")
    async with receiver(TAKEN[kind]) as there:
        await send(kind, there)
        [request] = there.requests
        # As servers do that repeat what they were asked for.
        echo = f"The URL {request.path} was not found. {request.headers.get('authorization')} "
        echo += f"{request.headers.get('x-gotify-key')} {request.body.decode() if kind is ChannelKind.PUSHOVER else ''}"
        there.answers = [status(404, body=echo), status(200, body=echo), "HTTP/1.1 1"]
        texts = [(await send(kind, there)).text for _ in range(3)]
    printed = capsys.readouterr()
    for secret in SECRETS:
        assert secret not in " ".join(texts) + printed.out + printed.err
        assert all(secret not in record.getMessage() for record in caplog.records if record.name.startswith("apprise"))


async def test_a_server_of_ones_own_in_a_private_network_gets_nothing_unless_it_is_allowed() -> None:
    async with receiver(status(200, body='{"id": 1}')) as there:
        for kind, address in (
            (ChannelKind.NTFY, f"{there.url}/topic"),
            (ChannelKind.GOTIFY, f"gotify://127.0.0.1:{there.port}/AbCdEfGhIjKlMn"),
        ):
            with pytest.raises(AddressRefused, match="private network"):
                await send_to_provider(kind, address, Message(title="x"))
            assert there.requests == []
        assert (await send_to_provider(kind, address, Message(title="x"), allow_private=True)).is_delivered
    assert there.requests[0].path == "/message"
