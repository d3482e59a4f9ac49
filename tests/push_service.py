"""Push service of the tests: takes messages as a browser's does, decrypts them, and answers what a test wants.

The decryption is not the product's: it computes HKDF by HMAC (RFC 5869), and reads the record as RFC 8188 describes.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.push.devices import add_device
from services.push.encryption import base64url, from_base64url
from tests.world import Person, World

HOST = "push.example.com"


@dataclass(kw_only=True)
class Received:
    """One message that arrived at a device."""

    headers: Mapping[str, str]
    plain: bytes

    @property
    def message(self) -> dict[str, Any]:
        """What the service worker gets."""
        content: dict[str, Any] = json.loads(self.plain)
        return content


@dataclass(eq=False, kw_only=True)
class Phone:
    """A browser's subscription, with the private key that only the browser has."""

    host: str = HOST
    id: str = field(default_factory=lambda: uuid4().hex)
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    secret: bytes = field(default_factory=lambda: uuid4().bytes)
    received: list[Received] = field(default_factory=list)
    answer: Callable[[], httpx.Response] = lambda: httpx.Response(201)

    @property
    def endpoint(self) -> str:
        return f"https://{self.host}/send/{self.id}"

    @property
    def p256dh(self) -> str:
        return base64url(self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))

    @property
    def auth(self) -> str:
        return base64url(self.secret)

    @property
    def shown(self) -> list[dict[str, Any]]:
        return [each.message for each in self.received]

    def decrypt(self, body: bytes) -> bytes:
        """Decrypt a body of one record: RFC 8291, section 3.4, and RFC 8188, section 2."""
        salt, size, length = body[:16], int.from_bytes(body[16:20], "big"), body[20]
        sender, record = body[21 : 21 + length], body[21 + length :]
        assert len(record) <= size
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
        own = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        shared = self.key.exchange(ec.ECDH(), point)
        material = _hkdf(self.secret, shared, b"WebPush: info\0" + own + sender, 32)
        key = _hkdf(salt, material, b"Content-Encoding: aes128gcm\0", 16)
        nonce = _hkdf(salt, material, b"Content-Encoding: nonce\0", 12)
        decryptor = Cipher(algorithms.AES(key), modes.GCM(nonce, record[-16:])).decryptor()
        plain = decryptor.update(record[:-16]) + decryptor.finalize()
        text, mark, padding = plain.rpartition(b"\x02")
        assert mark
        assert not padding.strip(b"\0")
        return text


class PushService(httpx.AsyncBaseTransport):
    """Transport in the place of the network; verifies VAPID tokens as RFC 8292 says."""

    def __init__(self) -> None:
        self.phones: dict[str, Phone] = {}
        self.requests = 0

    def phone(self, *, host: str = HOST, **values: Any) -> Phone:
        """Return a new subscription."""
        phone = Phone(host=host, **values)
        self.phones[phone.endpoint] = phone
        return phone

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        phone = self.phones[str(request.url)]
        _verify(request)
        body = await request.aread()
        if len(body) > 4096:
            return httpx.Response(413)
        response = phone.answer()
        if response.is_success:
            phone.received.append(Received(headers=dict(request.headers), plain=phone.decrypt(body)))
        # As over a network, where the content is not read yet.
        return httpx.Response(
            response.status_code, headers=response.headers, stream=httpx.ByteStream(response.content), request=request
        )


def no_answer() -> httpx.Response:
    """Answer nothing until the client gives up."""
    raise httpx.ReadTimeout("no answer")


async def subscribe(world: World, person: Person, phone: Phone) -> UUID:
    """Add a phone as a device of a person; returns its id."""

    return await add_device(
        world.database, person.identity, endpoint=phone.endpoint, p256dh=phone.p256dh, auth=phone.auth, agent="A phone"
    )


def _verify(request: httpx.Request) -> None:
    scheme, _, values = request.headers["authorization"].partition(" ")
    assert scheme == "vapid"
    parts = dict(each.strip().split("=", 1) for each in values.split(","))
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), from_base64url(parts["k"]))
    claims = jwt.decode(parts["t"], public, algorithms=["ES256"], audience=f"https://{request.url.host}")
    assert "exp" in claims
    assert request.headers["content-encoding"] == "aes128gcm"
    assert int(request.headers["ttl"]) > 0
    assert len(request.headers["topic"]) <= 32


def _hkdf(salt: bytes, material: bytes, info: bytes, length: int) -> bytes:
    key = hmac.digest(salt, material, hashlib.sha256)
    return hmac.digest(key, info + b"\x01", hashlib.sha256)[:length]
