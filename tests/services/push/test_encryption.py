"""Encryption of push messages, by the RFC's example and by a decoder of one's own."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as some

from services.errors import NotAccepted
from services.push.encryption import MAX_PLAIN_BYTES, DeviceKeys, base64url, encrypt, from_base64url
from tests.push_service import Phone

# RFC 8291, section 5 and appendix A.
PLAIN = b"When I grow up, I want to be a watermelon"
SENDER = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
RECEIVER_PUBLIC = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
SALT = "DGv6ra1nlYgDCS1FRnbzlw"
BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_"
    "yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def test_the_example_of_the_rfc_is_encrypted_to_its_bytes() -> None:
    sender = ec.derive_private_key(int.from_bytes(from_base64url(SENDER), "big"), ec.SECP256R1())
    keys = DeviceKeys.parse(RECEIVER_PUBLIC, AUTH)
    assert base64url(encrypt(PLAIN, keys, salt=from_base64url(SALT), sender=sender)) == BODY


@given(some.binary(max_size=MAX_PLAIN_BYTES))
def test_a_device_reads_what_was_written(message: bytes) -> None:
    phone = Phone()
    body = encrypt(message, DeviceKeys.parse(phone.p256dh, phone.auth))
    assert len(body) <= 4096
    assert phone.decrypt(body) == message


def test_a_salt_and_a_sender_are_for_one_message() -> None:
    phone = Phone()
    keys = DeviceKeys.parse(phone.p256dh, phone.auth)
    first, second = encrypt(b"same", keys), encrypt(b"same", keys)
    assert first[:16] != second[:16]
    assert first[21:86] != second[21:86]


def test_a_message_over_the_limit_is_refused() -> None:
    phone = Phone()
    with pytest.raises(ValueError, match="at most 3993 bytes"):
        encrypt(b"x" * (MAX_PLAIN_BYTES + 1), DeviceKeys.parse(phone.p256dh, phone.auth))


@pytest.mark.parametrize(
    ("p256dh", "auth", "said"),
    [
        ("", AUTH, "p256dh of the device has 0 bytes in place of 65"),
        (RECEIVER_PUBLIC[:-4], AUTH, "62 bytes in place of 65"),
        (base64url(b"\x04" + b"\1" * 64), AUTH, "no point of the curve"),
        ("snow☃man", AUTH, "not base64url"),
        ("a+b/" * 22, AUTH, "not base64url"),
        (RECEIVER_PUBLIC, "", "auth of the device has 0 bytes in place of 16"),
        (RECEIVER_PUBLIC, AUTH + "AAAA", "19 bytes"),
    ],
)
def test_keys_that_no_browser_sends_are_refused_by_name(p256dh: str, auth: str, said: str) -> None:
    with pytest.raises(NotAccepted, match=said) as refused:
        DeviceKeys.parse(p256dh, auth)
    assert not auth or auth not in str(refused.value)


def test_keys_are_not_in_the_repr() -> None:
    assert AUTH not in repr(DeviceKeys.parse(RECEIVER_PUBLIC, AUTH))
    assert repr(DeviceKeys.parse(RECEIVER_PUBLIC, AUTH + "==")) == "DeviceKeys()"
