"""Webhooks: what a receiver gets, and what becomes of each of its answers."""

import json

import pytest

from services.delivery.couriers import posting as module
from services.delivery.couriers.webhook import send_webhook, signature
from services.delivery.message import Answer, Message
from services.errors import AddressRefused
from tests.services.delivery.receiver import Receiver, receiver, status

# The example of the Standard Webhooks specification.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


async def send(to: Receiver, message: Message | None = None) -> Answer:
    message = message or Message(title="Nightly failed", text="\u0645\u0631\u062d\u0628\u0627 \0")
    return await send_webhook(f"{to.url}/in?x=1", SECRET, "msg_1", message, allow_private=True, now=lambda: 1614265330)


def test_the_signature_is_the_one_of_the_specification() -> None:
    body = b'{"test": 2432232314}'
    signed = signature(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_a_receiver_gets_the_message_signed() -> None:
    async with receiver() as there:
        answer = await send(there)
    [request] = there.requests
    assert answer == Answer(is_delivered=True, text="200 OK: ok")
    assert request.path == "/in?x=1"
    assert request.headers["host"] == f"127.0.0.1:{there.port}"
    assert request.headers["webhook-signature"] == signature(SECRET, "msg_1", 1614265330, request.body)
    sent = json.loads(request.body)
    assert (sent["title"], sent["text"]) == ("Nightly failed", "\u0645\u0631\u062d\u0628\u0627 ")


@pytest.mark.parametrize("code", [400, 401, 404, 410, 413, 302, 307])
async def test_a_refusal_for_good_is_final_and_no_redirect_is_followed(code: int) -> None:
    async with receiver(status(code, "location: http://127.0.0.1:1/")) as there:
        answer = await send(there)
    assert (answer.is_delivered, answer.is_final) == (False, True)
    assert str(code) in answer.text
    assert len(there.requests) == 1


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 999])
async def test_trouble_is_tried_again_when_the_receiver_says(code: int) -> None:
    async with receiver(status(code, "retry-after: 120", body="busy\u001b[31m")) as there:
        answer = await send(there)
    assert (answer.is_delivered, answer.is_final, answer.retry_after) == (False, False, 120)
    assert answer.text.endswith("busy")


async def test_a_receiver_that_never_answers_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT_SECONDS", 0.2)
    async with receiver(None) as there:
        answer = await send(there)
    assert (answer.is_delivered, answer.is_final) == (False, False)
    assert "did not answer" in answer.text


async def test_what_is_no_http_or_nobody_is_said() -> None:
    async with receiver("hello\r\n\r\n") as there:
        assert "was not reached" in (await send(there)).text
    assert "was not reached" in (await send(there)).text


async def test_a_private_receiver_gets_nothing() -> None:
    async with receiver() as there:
        with pytest.raises(AddressRefused, match="private network"):
            await send_webhook(there.url, SECRET, "msg_1", Message(title="x"))
    assert there.requests == []


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    async with receiver() as proxy, receiver() as there:
        monkeypatch.setenv(name, proxy.url)
        answer = await send(there)
    assert answer.is_delivered
    assert (len(there.requests), proxy.connections) == (1, 0)
