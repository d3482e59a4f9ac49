"""What a push service answers, and what that means for the message and the device."""

from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from services.delivery.message import shortened
from services.push.application_key import ApplicationKey
from services.push.encryption import DeviceKeys
from services.push.message import PushMessage
from services.push.sender import Address, Outcome, PushSender
from tests.push_service import Phone, PushService, no_answer
from tests.services.delivery.receiver import receiver

MESSAGE = PushMessage(tag="alerts:1", org="o", title="Disk", body="Full", rank=3, badge=2)


@pytest.fixture
def service() -> PushService:
    return PushService()


@pytest.fixture
async def sender(service: PushService) -> AsyncIterator[PushSender]:
    key = ApplicationKey(ec.generate_private_key(ec.SECP256R1()))
    async with PushSender(key, transport=service) as sender:
        yield sender


def address(phone: Phone) -> Address:
    return Address(endpoint=phone.endpoint, keys=DeviceKeys.parse(phone.p256dh, phone.auth))


async def test_a_message_arrives_with_its_urgency_and_topic(service: PushService, sender: PushSender) -> None:
    phone = service.phone()
    answer = await sender.deliver(address(phone), MESSAGE)
    assert answer.outcome is Outcome.SENT
    assert answer.sentence == "push.example.com took the message (201)."
    (received,) = phone.received
    assert received.message["title"] == "Disk"
    assert received.message["badge"] == 2
    assert received.headers["urgency"] == "high"
    assert received.headers["topic"] == MESSAGE.topic != PushMessage(tag="alerts:2", org="o").topic


@pytest.mark.parametrize(
    ("status", "headers", "meaning"),
    [
        (200, {}, (Outcome.SENT, None)),
        (404, {}, (Outcome.GONE, None)),
        (410, {}, (Outcome.GONE, None)),
        (400, {}, (Outcome.REFUSED, None)),
        (403, {}, (Outcome.REFUSED, None)),
        (413, {}, (Outcome.REFUSED, None)),
        (307, {"location": "http://127.0.0.1/"}, (Outcome.REFUSED, None)),
        (429, {}, (Outcome.LATER, 60.0)),
        (429, {"retry-after": "7"}, (Outcome.LATER, 7.0)),
        (429, {"retry-after": "9" * 400}, (Outcome.LATER, 3600.0)),
        (429, {"retry-after": "-5"}, (Outcome.LATER, 60.0)),
        (429, {"retry-after": "Thu, 01 Jan 2026 00:00:00 GMT"}, (Outcome.LATER, 1.0)),
        (429, {"retry-after": "soon"}, (Outcome.LATER, 60.0)),
        (500, {}, (Outcome.LATER, None)),
        (503, {"retry-after": "120"}, (Outcome.LATER, 120.0)),
    ],
)
async def test_an_answer_means_what_its_status_says(
    service: PushService,
    sender: PushSender,
    status: int,
    headers: dict[str, str],
    meaning: tuple[Outcome, float | None],
) -> None:
    phone = service.phone(answer=lambda: httpx.Response(status, headers=headers, text="why\n  <b>not</b>\x07"))
    answer = await sender.deliver(address(phone), MESSAGE)
    assert (answer.outcome, answer.retry_after) == meaning
    if answer.outcome is not Outcome.SENT:
        assert f"push.example.com answered {status}: why <b>not</b>" in answer.sentence
    assert phone.id not in answer.sentence


@pytest.mark.parametrize(
    "fault", [no_answer, lambda: _raise(httpx.ConnectError("refused")), lambda: _raise(httpx.ReadError("cut"))]
)
async def test_a_push_service_that_does_not_answer_is_asked_again_later(
    service: PushService, sender: PushSender, fault: Callable[[], httpx.Response]
) -> None:
    answer = await sender.deliver(address(service.phone(answer=fault)), MESSAGE)
    assert answer.outcome is Outcome.LATER
    assert answer.sentence.startswith("push.example.com ")


async def test_a_message_that_is_too_large_for_a_push_service_is_sent_again_cut(
    service: PushService, sender: PushSender
) -> None:
    answers = iter([413, 201])
    phone = service.phone(answer=lambda: httpx.Response(next(answers)))
    long = PushMessage(tag="t", org="o", title="Title", body="long " * 70)
    assert (await sender.deliver(address(phone), long)).outcome is Outcome.SENT
    (received,) = phone.received
    assert len(received.plain) <= 400
    assert received.message["title"] == "Title"
    assert received.message["body"].endswith("…")


async def test_a_push_service_that_wants_fewer_requests_is_left_alone_until_it_said(service: PushService) -> None:
    now = 1_800_000_000.0
    key = ApplicationKey(ec.generate_private_key(ec.SECP256R1()), clock=lambda: now)
    busy = service.phone(answer=lambda: httpx.Response(429, headers={"retry-after": "30"}))
    other, elsewhere = service.phone(), service.phone(host="web.push.apple.com")
    async with PushSender(key, transport=service, clock=lambda: now) as sender:
        await sender.deliver(address(busy), MESSAGE)
        assert (await sender.deliver(address(other), MESSAGE)).outcome is Outcome.LATER
        now_asked = service.requests
        assert now_asked == 1
        assert service.phones[elsewhere.endpoint] is elsewhere
        now += 31
        # The token's clock is the test's, which PyJWT in the push service does not know.
        assert (await sender.deliver(address(other), MESSAGE)).outcome is Outcome.SENT


async def test_an_endpoint_that_became_private_is_never_asked(service: PushService, sender: PushSender) -> None:
    phone = service.phone(host="127.0.0.1")
    assert (await sender.deliver(address(phone), MESSAGE)).outcome is Outcome.REFUSED
    assert service.requests == 0


def test_an_address_does_not_show_its_endpoint() -> None:
    phone = Phone()
    assert repr(address(phone)) == "Address(push.example.com)"


@pytest.mark.parametrize("text", ["x" * 100_000, "שלום עולם " * 5000, "😀" * 50_000, '"\\' * 50_000, ""])
def test_any_text_fits_into_a_message(text: str) -> None:
    message = PushMessage(tag="t", org="o", title=text or "T", body=text, url="/" + "u" * 5000)
    for most in (3993, 400):
        assert len(message.encoded(at_most=most)) <= most


def test_a_text_is_cut_with_a_mark() -> None:
    assert shortened("abcdef", 4) == "abc…"
    assert shortened("abcd", 4) == "abcd"
    assert shortened("abc", 0) == ""


def _raise(error: Exception) -> httpx.Response:
    raise error


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiver() as proxy:
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        key = ApplicationKey(ec.generate_private_key(ec.SECP256R1()))
        async with PushSender(key) as sender:
            answer = await sender.deliver(address(Phone(host="push.livewatch.invalid")), MESSAGE)
    assert answer.outcome is Outcome.LATER
    assert "cannot be reached" in answer.sentence
    assert proxy.connections == 0
