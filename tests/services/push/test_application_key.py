"""The app's key for push services: made once, kept by mode 0600, given by settings, and signing as RFC 8292 says."""

from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from services.errors import ConfigurationError
from services.push.application_key import RENEW_SECONDS, ApplicationKey, application_key
from services.push.encryption import base64url, from_base64url


def test_the_first_start_makes_a_key_which_only_its_owner_reads_and_later_starts_have_it(tmp_path: Path) -> None:
    first = application_key(tmp_path / "data", None)
    path = tmp_path / "data" / "vapid_key.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    assert application_key(tmp_path / "data", None).public == first.public
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert path.read_text() not in repr(first)


def test_a_key_of_the_settings_is_a_pem_or_its_bytes(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    scalar = base64url(key.private_numbers().private_value.to_bytes(32, "big"))
    given = [application_key(tmp_path, SecretStr(each)).public for each in (pem, pem.replace("\n", "\\n"), scalar)]
    assert len(set(given)) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "given", ["", "x", "-----BEGIN PRIVATE KEY-----", base64url(b"\0" * 32), base64url(b"\xff" * 32), "A" * 44]
)
def test_what_is_no_key_is_refused_without_repeating_it(tmp_path: Path, given: str) -> None:
    with pytest.raises(ConfigurationError, match="LIVEWATCH_VAPID_KEY is not a VAPID key") as refused:
        application_key(tmp_path, SecretStr(given))
    assert len(given) < 2 or given not in str(refused.value)


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    other = ed25519.Ed25519PrivateKey.generate()
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(ConfigurationError, match="another kind"):
        application_key(tmp_path, SecretStr(pem))


def test_a_file_that_is_damaged_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "vapid_key.pem").write_text("-----BEGIN half")
    with pytest.raises(ConfigurationError, match=r"vapid_key\.pem is not a VAPID key"):
        application_key(tmp_path, None)


def test_a_token_names_the_origin_of_the_push_service_and_is_used_for_some_hours() -> None:
    now = 1_800_000_000.0
    key = ApplicationKey(
        ec.generate_private_key(ec.SECP256R1()), contact="https://watch.example.org", clock=lambda: now
    )
    header = key.authorization("https://push.example.com:443/send/secret")
    token = header.partition("t=")[2].partition(",")[0]
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), from_base64url(key.public))
    options = {"verify_exp": False, "verify_aud": False}
    claims = jwt.decode(token, public, algorithms=["ES256"], options=options)  # type: ignore[arg-type]
    assert claims["aud"] == "https://push.example.com:443"
    assert claims["sub"] == "https://watch.example.org"
    assert 0 < claims["exp"] - now <= 24 * 3600
    assert key.authorization("https://push.example.com:443/send/other") == header
    now += RENEW_SECONDS + 1
    assert key.authorization("https://push.example.com:443/send/other") != header
