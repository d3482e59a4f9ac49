"""JWT signing and verification with the project's ES256 key."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from local_supabase.errors import TokenError

Claims = dict[str, Any]
MAX_CACHED_TOKENS = 1024


@dataclass(frozen=True, slots=True)
class SigningKey:
    """ES256 key pair; `kid` is derived from the public key, in the manner of RFC 7638."""

    private: ec.EllipticCurvePrivateKey = field(repr=False)
    kid: str

    @classmethod
    def generate(cls) -> Self:
        """Return a new random key on the curve P-256."""
        return cls._from_private(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_pem(cls, pem: str) -> Self:
        """Parse an unencrypted PKCS #8 key; raises TokenError if it is not an elliptic curve key."""
        private = serialization.load_pem_private_key(pem.encode(), password=None)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise TokenError("InvalidKey", "The signing key is not an elliptic curve key.")
        return cls._from_private(private)

    def to_pem(self) -> str:
        """Return the private key as unencrypted PKCS #8."""
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Return the public key as a JSON Web Key Set (RFC 7517)."""
        public = ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": self.kid, "alg": "ES256", "use": "sig", "key_ops": ["verify"], "ext": True}]}

    @classmethod
    def _from_private(cls, private: ec.EllipticCurvePrivateKey) -> Self:
        point = private.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        return cls(private, hashlib.sha256(point).hexdigest()[:32])


def sign(key: SigningKey, claims: Claims) -> str:
    """Return the claims as a signed JWT (RFC 7519) with the key's `kid`."""
    return jwt.encode(claims, key.private, algorithm="ES256", headers={"kid": key.kid})


class Verifier:
    """Verifies tokens of one key; caches the claims of recent tokens, so that each signature is checked once.

    With a `secret`, tokens that a project signs itself with it (HS256) are accepted, too.
    """

    def __init__(self, key: SigningKey, *, secret: str | None = None, clock: Callable[[], float] = time.time) -> None:
        self._keys: dict[str, Any] = {"ES256": key.private.public_key()} | ({"HS256": secret} if secret else {})
        self._clock = clock
        self._cache: OrderedDict[str, Claims] = OrderedDict()

    def verify(self, token: str) -> Claims:
        """Return the claims of an unexpired token that carries `role` and `exp`.

        Raises:
            TokenError: with the messages of the hosted Realtime server.
        """
        claims = self._claims(token)
        if "role" not in claims or not isinstance(claims.get("exp"), int | float):
            raise TokenError("InvalidJWTToken", "Fields `role` and `exp` are required in JWT")
        age = self._clock() - claims["exp"]
        if age >= 0:
            raise TokenError("InvalidJWTToken", f"Token has expired {int(age)} seconds ago")
        return claims

    def _claims(self, token: str) -> Claims:
        if (cached := self._cache.get(token)) is not None:
            return cached
        try:
            # The key goes by the algorithm, so that a public key never serves as a secret.
            algorithm = str(jwt.get_unverified_header(token).get("alg"))
            claims: Claims = jwt.decode(
                token,
                self._keys.get(algorithm, ""),
                algorithms=[algorithm] if algorithm in self._keys else [],
                options={
                    "verify_exp": False,
                    "verify_aud": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                    "verify_sub": False,
                    "verify_jti": False,
                    "verify_iss": False,
                },
            )
        except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError) as error:
            raise TokenError("JwtSignatureError", "Failed to validate JWT signature") from error
        except (jwt.PyJWTError, ValueError) as error:
            raise TokenError("MalformedJWT", "The token provided is not a valid JWT") from error
        self._cache[token] = claims
        if len(self._cache) > MAX_CACHED_TOKENS:
            self._cache.popitem(last=False)
        return claims
