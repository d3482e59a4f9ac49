"""Identity of a signed-in user, decoded from the Auth server's access token."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

import jwt
from pydantic import SecretStr

from services.errors import SessionExpired


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Identity in one access token.

    `claims` is passed to PostgreSQL as `request.jwt.claims`, `access_token` to Realtime.
    """

    user_id: UUID
    email: str
    session_id: str
    expires_at: datetime
    claims: dict[str, Any] = field(repr=False)
    access_token: SecretStr

    @property
    def name(self) -> str:
        return self.email

    @property
    def providers(self) -> list[str]:
        """How the user can sign in, such as `email`, for a password, or the name of a single sign-on provider."""
        metadata = self.claims.get("app_metadata")
        found = metadata.get("providers") if isinstance(metadata, dict) else None
        return [str(each) for each in found] if isinstance(found, list) else ["email"]

    @classmethod
    def from_token(cls, access_token: str) -> Self:
        """Decode a trusted token, from the Auth server or the app's signed cookie; its signature is not verified.

        Raises:
            SessionExpired: The token is malformed.
        """
        try:
            claims = jwt.decode(access_token, options={"verify_signature": False})
            return cls(
                user_id=UUID(claims["sub"]),
                email=str(claims.get("email") or ""),
                session_id=str(claims["session_id"]),
                expires_at=datetime.fromtimestamp(claims["exp"], UTC),
                claims=claims,
                access_token=SecretStr(access_token),
            )
        except (jwt.PyJWTError, KeyError, TypeError, ValueError) as error:
            raise SessionExpired("The session cannot be read. Sign in again.") from error
