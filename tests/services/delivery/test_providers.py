"""What becomes of each answer of chat and push providers, over HTTP receivers in their place."""

import json

import httpx
import pytest

from services.delivery.channel_kind import ChannelKind
from services.delivery.couriers import posting
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


async def send(kind: ChannelKind, there: Receiver, message: Message | None = None) -> Answer:
    message = message or Message(title="Nightly failed", text="code 1")
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
        PORTAL,
        status(200, body="<html>"),
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
async def test_a_provider_that_is_busy_is_left_alone_for_as_long_as_it_says(kind: ChannelKind) -> None:
    async with receiver(status(429, "retry-after: 120", body="slow")) as there:
        said = await send(kind, there)
    assert (said.is_delivered, said.is_final, said.retry_after) == (False, False, 120)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (ChannelKind.TELEGRAM, {"ok": False, "description": "Too Many Requests", "parameters": {"retry_after": 35}}),
        (ChannelKind.DISCORD, {"message": "You are being rate limited.", "retry_after": 35.0, "global": False}),
    ],
)
async def test_the_time_may_be_in_the_answers_json(kind: ChannelKind, body: object) -> None:
    async with receiver(status(429, body=json.dumps(body))) as there:
        assert (await send(kind, there)).retry_after == 35


@pytest.mark.parametrize("value", ['"soon"', "-1", "null", "NaN", "[]"])
async def test_a_time_that_is_none_is_no_time(value: str) -> None:
    async with receiver(status(429, body=f'{{"retry_after": {value}}}')) as there:
        assert (await send(ChannelKind.DISCORD, there)).retry_after is None


@pytest.mark.parametrize("kind", [ChannelKind.SLACK, ChannelKind.GOTIFY])
async def test_a_provider_that_hangs_or_answers_without_end_is_left(
    kind: ChannelKind, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    kind: ChannelKind, capsys: pytest.CaptureFixture[str]
) -> None:
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
