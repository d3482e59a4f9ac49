"""Encryption of a push message for one device: RFC 8291, in the encoding `aes128gcm` of RFC 8188."""

import base64
import binascii
import os
import re
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.errors import NotAccepted

BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
CURVE = ec.SECP256R1()
RECORD_BYTES = 4096
POINT_BYTES = 65
SECRET_BYTES = 16
SALT_BYTES = 16
TAG_BYTES = 16
HEADER_BYTES = SALT_BYTES + 4 + 1 + POINT_BYTES
MAX_PLAIN_BYTES = RECORD_BYTES - HEADER_BYTES - TAG_BYTES - 1
"""The longest message: push services need take no body above 4,096 bytes (RFC 8030, section 7.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceKeys:
    """What a browser gives out for encryption; neither is in the repr.

    Args:
        public: The uncompressed point of the device's P-256 key.
        secret: The authentication secret of the subscription.
    """

    public: bytes = field(repr=False)
    secret: bytes = field(repr=False)

    @classmethod
    def parse(cls, p256dh: str, auth: str) -> "DeviceKeys":
        """Read both from base64url, with or without padding; raises NotAccepted for what no browser sends."""
        keys = cls(public=_decoded("p256dh", p256dh, POINT_BYTES), secret=_decoded("auth", auth, SECRET_BYTES))
        try:
            ec.EllipticCurvePublicKey.from_encoded_point(CURVE, keys.public)
        except ValueError as error:
            raise NotAccepted(
                "The key p256dh of the device is no point of the curve P-256. Subscribe again."
            ) from error
        return keys


def encrypt(
    message: bytes,
    keys: DeviceKeys,
    *,
    salt: bytes | None = None,
    sender: ec.EllipticCurvePrivateKey | None = None,
) -> bytes:
    """Return the body of the request to the push service.

    Args:
        message: At most `MAX_PLAIN_BYTES`.
        keys: The device's.
        salt: 16 bytes, random by default; a salt and a sender are for one message.
        sender: A key of this message only, new by default.

    Raises:
        ValueError: The message is too long.
    """
    if len(message) > MAX_PLAIN_BYTES:
        raise ValueError(f"A push message has at most {MAX_PLAIN_BYTES} bytes; this one has {len(message)}.")
    salt = salt or os.urandom(SALT_BYTES)
    sender = sender or ec.generate_private_key(CURVE)
    point = sender.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    shared = sender.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(CURVE, keys.public))
    material = _derived(shared, keys.secret, b"WebPush: info\x00" + keys.public + point, 32)
    key = _derived(material, salt, b"Content-Encoding: aes128gcm\x00", 16)
    nonce = _derived(material, salt, b"Content-Encoding: nonce\x00", 12)
    header = salt + RECORD_BYTES.to_bytes(4, "big") + bytes([POINT_BYTES]) + point
    # 2 marks the end of the last record, which is the only one.
    return header + AESGCM(key).encrypt(nonce, message + b"\x02", None)


def base64url(value: bytes) -> str:
    """Return bytes as base64url without padding."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def from_base64url(value: str) -> bytes:
    """Return the bytes of base64url with or without padding; raises ValueError for anything else."""
    bare = value.rstrip("=")
    if not BASE64URL.fullmatch(bare):
        raise ValueError("This is not base64url.")
    try:
        return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except binascii.Error as error:
        raise ValueError("This is not base64url.") from error


def _decoded(name: str, value: str, length: int) -> bytes:
    try:
        decoded = from_base64url(value)
    except ValueError as error:
        raise NotAccepted(f"The key {name} of the device is not base64url. Subscribe again.") from error
    if len(decoded) != length:
        raise NotAccepted(
            f"The key {name} of the device has {len(decoded)} bytes in place of {length}. Subscribe again."
        )
    return decoded


def _derived(material: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(material)
