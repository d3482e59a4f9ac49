"""Validation of ID tokens (OpenID Connect Core 1.0, section 3.1.3.7)."""

import hmac
from typing import Any

import jwt

from local_supabase.auth.external.keys import KEY_TYPES, ProviderKeys
from local_supabase.errors import ProviderError

CLOCK_SKEW_SECONDS = 60
MAX_SUBJECT_LENGTH = 255
REQUIRED_CLAIMS = ["iss", "sub", "aud", "exp", "iat"]


async def validate(token: str, keys: ProviderKeys, *, issuer: str, client_id: str, nonce: str) -> dict[str, Any]:
    """Return the claims of a valid ID token.

    Args:
        token: the token, as the provider's token endpoint returned it.
        keys: the provider's keys.
        issuer: the provider's issuer, from its discovery document.
        client_id: the audience.
        nonce: what the authorization request contained.

    Raises:
        ProviderError: the token is not valid; the message says why, without any part of the token.
    """
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise ProviderError("the ID token is malformed") from error
    algorithm, kid = str(header.get("alg")), header.get("kid")
    if algorithm not in KEY_TYPES:
        raise ProviderError(f"the ID token is not signed with {', '.join(KEY_TYPES)}")
    claims = _verified(token, await keys.candidates(None if kid is None else str(kid), algorithm), issuer, client_id)
    audience, party = claims["aud"], claims.get("azp")
    if (isinstance(audience, list) and len(audience) > 1 and party is None) or party not in (None, client_id):
        raise ProviderError("the ID token was issued to another client")
    if not hmac.compare_digest(str(claims.get("nonce") or "").encode(), nonce.encode()):
        raise ProviderError("the ID token has another nonce than the request")
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT_LENGTH:
        raise ProviderError("the ID token names no user")
    return claims


def _verified(token: str, keys: list[jwt.PyJWK], issuer: str, client_id: str) -> dict[str, Any]:
    failure: jwt.PyJWTError | ValueError | None = None
    for key in keys:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=client_id,
                issuer=issuer,
                leeway=CLOCK_SKEW_SECONDS,
                options={"require": REQUIRED_CLAIMS, "enforce_minimum_key_length": True},
            )
        except jwt.InvalidSignatureError as error:
            failure = error
        except (jwt.PyJWTError, ValueError) as error:
            raise ProviderError(_reason(error)) from error
        else:
            return claims
    raise ProviderError(_reason(failure)) from failure


def _reason(error: Exception | None) -> str:
    reasons: list[tuple[type[Exception], str]] = [
        (jwt.InvalidSignatureError, "the ID token's signature is wrong"),
        (jwt.ExpiredSignatureError, "the ID token has expired: compare the clocks of this machine and the provider"),
        (jwt.ImmatureSignatureError, "the ID token is not valid yet: compare the clocks of this machine and provider"),
        (jwt.InvalidAudienceError, "the ID token is for another client"),
        (jwt.InvalidIssuerError, "the ID token is from another issuer"),
        (jwt.MissingRequiredClaimError, "the ID token lacks a required claim"),
        (jwt.InvalidKeyError, "the provider's key is too short"),
    ]
    return next((sentence for kind, sentence in reasons if isinstance(error, kind)), "the ID token is not valid")
