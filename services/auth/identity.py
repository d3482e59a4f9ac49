"""The identity of a signed-in person, from the Auth server's access token."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

import jwt
from pydantic import SecretStr

from services.errors import SessionExpired


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The claims of one access token.

    `claims` go to PostgreSQL as `request.jwt.claims`, `access_token` goes to Realtime.
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

    @classmethod
    def from_token(cls, access_token: str) -> Self:
        """Read a token without checking its signature; for tokens of the Auth server or of the app's signed cookie.

        Raises:
            SessionExpired: It is not such a token.
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
