"""Signing and verifying JWTs with the project's one ES256 key."""

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
CACHED_TOKENS = 1024


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An ES256 key pair and the `kid` that names it (RFC 7638 style: derived from the public key)."""

    private: ec.EllipticCurvePrivateKey = field(repr=False)
    kid: str

    @classmethod
    def generate(cls) -> Self:
        return cls._of(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_pem(cls, pem: str) -> Self:
        private = serialization.load_pem_private_key(pem.encode(), password=None)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise TokenError("InvalidKey", "The signing key is not an elliptic curve key.")
        return cls._of(private)

    def to_pem(self) -> str:
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """The public half as a JSON Web Key Set (RFC 7517)."""
        public = ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": self.kid, "alg": "ES256", "use": "sig", "key_ops": ["verify"], "ext": True}]}

    @classmethod
    def _of(cls, private: ec.EllipticCurvePrivateKey) -> Self:
        point = private.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        return cls(private, hashlib.sha256(point).hexdigest()[:32])


def sign(key: SigningKey, claims: Claims) -> str:
    return jwt.encode(claims, key.private, algorithm="ES256", headers={"kid": key.kid})


class Verifier:
    """Verifies tokens of one key; remembers the claims of recent tokens, so that a signature is checked once."""

    def __init__(self, key: SigningKey, *, clock: Callable[[], float] = time.time) -> None:
        self._public = key.private.public_key()
        self._clock = clock
        self._known: OrderedDict[str, Claims] = OrderedDict()

    def verify(self, token: str) -> Claims:
        """Return the claims of a token that carries `role` and `exp` and has not expired.

        Raises TokenError with the texts of the hosted Realtime server.
        """
        claims = self._claims(token)
        if "role" not in claims or not isinstance(claims.get("exp"), int | float):
            raise TokenError("InvalidJWTToken", "Fields `role` and `exp` are required in JWT")
        ago = self._clock() - claims["exp"]
        if ago >= 0:
            raise TokenError("InvalidJWTToken", f"Token has expired {int(ago)} seconds ago")
        return claims

    def _claims(self, token: str) -> Claims:
        if (known := self._known.get(token)) is not None:
            return known
        try:
            claims: Claims = jwt.decode(
                token,
                self._public,
                algorithms=["ES256"],
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
        self._known[token] = claims
        if len(self._known) > CACHED_TOKENS:
            self._known.popitem(last=False)
        return claims
