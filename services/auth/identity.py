"""Who a signed-in person is, as the Auth server's access token says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol, Self
from uuid import UUID

import jwt
from pydantic import SecretStr

from services.errors import SessionExpired


class Claimant(Protocol):
    """On whose behalf a transaction runs; PostgreSQL's row-level security decides by the `claims`."""

    @property
    def name(self) -> str:
        """What a message calls them."""
        ...

    @property
    def claims(self) -> Mapping[str, Any]:
        """What goes to PostgreSQL as `request.jwt.claims`."""
        ...


class Anonymous:
    """A Claimant without a user and without a key: no policy shows them a row."""

    name = "nobody"
    claims: Mapping[str, Any] = {"role": "authenticated"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The claims of one access token that the Auth server gave to this app.

    `claims` go to PostgreSQL as `request.jwt.claims`; `access_token` goes to Realtime.
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
        """Read a token that came from the Auth server or from our signed cookie; its signature is theirs to check.

        Raises SessionExpired for what is not such a token.
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
