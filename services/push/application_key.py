"""The key by which push services know this app: VAPID, RFC 8292."""

import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from pydantic import SecretStr

from services.errors import ConfigurationError
from services.infra.kept_secret import kept_secret
from services.push.encryption import CURVE, base64url, from_base64url

VARIABLE = "LIVEWATCH_VAPID_KEY"
FILE = "vapid_key.pem"
SCALAR_BYTES = 32
TOKEN_SECONDS = 12 * 3600
"""How long a token is valid: push services accept at most 24 hours."""
RENEW_SECONDS = 6 * 3600
MAX_TOKENS = 100


class ApplicationKey:
    """Signs requests to push services; its repr shows the public part only.

    Args:
        key: The key of the app, which browsers are given when they subscribe: another key ends all subscriptions.
        contact: `https:` or `mailto:` URL by which a push service reaches who runs the app; empty for none.
        clock: Seconds since 1970.
    """

    def __init__(
        self, key: ec.EllipticCurvePrivateKey, *, contact: str = "", clock: Callable[[], float] = time.time
    ) -> None:
        self._key = key
        self._contact = contact
        self._clock = clock
        self._tokens: dict[str, tuple[float, str]] = {}
        self.public = base64url(key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))
        """For `applicationServerKey` in the browser."""

    def __repr__(self) -> str:
        return f"ApplicationKey({self.public})"

    def authorization(self, endpoint: str) -> str:
        """Return the header `Authorization` of a request to an endpoint; a token is used for some hours."""
        parts = urlsplit(endpoint)
        audience = f"{parts.scheme}://{parts.netloc}"
        now = self._clock()
        made_at, token = self._tokens.get(audience, (0.0, ""))
        if not token or now - made_at > RENEW_SECONDS:
            claims = {"aud": audience, "exp": int(now) + TOKEN_SECONDS}
            if self._contact:
                claims["sub"] = self._contact
            token = jwt.encode(claims, self._key, algorithm="ES256")
            if len(self._tokens) >= MAX_TOKENS:
                self._tokens.clear()
            self._tokens[audience] = now, token
        return f"vapid t={token}, k={self.public}"


def application_key(data: Path, given: SecretStr | None, *, contact: str = "") -> ApplicationKey:
    """Return the key of the settings, or else that of the data directory, which the first start makes.

    Args:
        data: The data directory; the key is a file of mode 0600 in it.
        given: A key as PEM, or its 32 bytes in base64url, as tools for VAPID print it.
        contact: See `ApplicationKey`.

    Raises:
        ConfigurationError: The key is none, or the file cannot be read or written.
    """
    if given is not None:
        return ApplicationKey(_parsed(given.get_secret_value(), VARIABLE), contact=contact)
    path = data / FILE
    return ApplicationKey(_parsed(kept_secret(path, _made).get_secret_value(), str(path)), contact=contact)


def _made() -> str:
    key = ec.generate_private_key(CURVE)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _parsed(text: str, where: str) -> ec.EllipticCurvePrivateKey:
    text = text.strip().replace("\\n", "\n")
    try:
        if text.startswith("-----BEGIN"):
            key = load_pem_private_key(text.encode(), None)
        else:
            scalar = from_base64url(text)
            if len(scalar) != SCALAR_BYTES:
                raise ValueError(f"{len(scalar)} bytes")
            key = ec.derive_private_key(int.from_bytes(scalar, "big"), CURVE)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{where} is not a VAPID key: give a private key of the curve P-256 as PEM, or its 32 bytes in base64url."
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ConfigurationError(f"{where} is a key of another kind: web push takes keys of the curve P-256 only.")
    return key
