"""The PKCE flow (RFC 7636): a link leads to a code, which only the client that asked for it exchanges for a session."""

import base64
import hashlib
import hmac
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from local_supabase.auth.fields import text_field
from local_supabase.auth.users import Cursor, Users
from local_supabase.errors import ApiError

PKCE_PREFIX = "pkce_"
CODE_LIFETIME = timedelta(minutes=5)
MIN_CHALLENGE_LENGTH, MAX_CHALLENGE_LENGTH = 43, 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """A code challenge; `method` is `s256` or `plain`."""

    text: str
    method: str

    @classmethod
    def parse(cls, body: dict[str, Any]) -> "Challenge | None":
        """Return the challenge of a request, None if there is none; raises ApiError (400)."""
        text, method = text_field(body, "code_challenge"), text_field(body, "code_challenge_method").lower()
        if bool(text) != bool(method):
            raise ApiError(
                400, "validation_failed", "PKCE flow requires code_challenge_method and code_challenge parameters"
            )
        if not text:
            return None
        if not MIN_CHALLENGE_LENGTH <= len(text) <= MAX_CHALLENGE_LENGTH:
            raise ApiError(
                400,
                "validation_failed",
                f"code challenge has to be between {MIN_CHALLENGE_LENGTH} and {MAX_CHALLENGE_LENGTH} characters",
            )
        if method not in ("s256", "plain"):
            raise ApiError(400, "validation_failed", "code challenge method is not s256 or plain")
        return cls(text=text, method=method)

    def is_met_by(self, verifier: str) -> bool:
        """Return whether a verifier belongs to this challenge."""
        if self.method == "s256":
            verifier = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        return hmac.compare_digest(verifier.encode(), self.text.encode())


async def store_challenge(cursor: Cursor, user_id: uuid.UUID, challenge: Challenge, method: str) -> None:
    """Store a challenge until its link is followed; `method` is the type of the link."""
    await cursor.execute(
        "insert into auth.flow_state (id, user_id, code_challenge, code_challenge_method, provider_type,"
        " authentication_method, created_at, updated_at)"
        " values (gen_random_uuid(), %s, %s, %s, 'email', %s, now(), now())",
        (user_id, challenge.text, challenge.method, method),
    )


async def issue_code(users: Users, user_id: uuid.UUID) -> str:
    """Return a new code for the user's newest challenge; raises ApiError (400) if there is none."""
    code = str(uuid.uuid4())
    async with users.transaction() as cursor:
        await cursor.execute(
            "update auth.flow_state set auth_code = %s, auth_code_issued_at = now(), updated_at = now() where id ="
            " (select id from auth.flow_state where user_id = %s and auth_code is null"
            " order by created_at desc limit 1)",
            (code, user_id),
        )
        if not cursor.rowcount:
            raise ApiError(400, "flow_state_not_found", "No associated flow state found.")
    return code


async def redeem_code(users: Users, code: str, verifier: str) -> tuple[uuid.UUID, str]:
    """Exchange a code once for the id of its user and how they signed in, `otp` or `oauth`; raises ApiError."""
    async with users.transaction() as cursor:
        await cursor.execute("select * from auth.flow_state where auth_code = %s for update", (code,))
        found = await cursor.fetchone()
        if found is None or found["user_id"] is None:
            raise ApiError(404, "flow_state_not_found", "invalid flow state, no valid flow state found")
        if datetime.now(UTC) - found["auth_code_issued_at"] > CODE_LIFETIME:
            raise ApiError(422, "flow_state_expired", "invalid flow state, flow state has expired")
        challenge = Challenge(text=found["code_challenge"], method=found["code_challenge_method"])
        if not challenge.is_met_by(verifier):
            raise ApiError(400, "bad_code_verifier", "code challenge does not match previously saved code verifier")
        await cursor.execute("delete from auth.flow_state where id = %s", (found["id"],))
    method = "oauth" if found["authentication_method"] == "oauth" else "otp"
    return uuid.UUID(str(found["user_id"])), method
