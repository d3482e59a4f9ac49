"""Sessions and refresh tokens in the schema `auth`, and the access tokens that are issued for them."""

import hashlib
import secrets
import time
import uuid
from collections.abc import Callable
from typing import Any

from local_supabase.auth.accounts import AuthSettings
from local_supabase.auth.keys import Claims, SigningKey, sign
from local_supabase.auth.users import USER, Cursor, Row, Users, check_not_banned, parse_uuid, user_json
from local_supabase.errors import ApiError

REFRESH_TOKEN_REUSE_SECONDS = 10


class Sessions:
    """Opens, refreshes and closes sessions; borrows its database connections from `users`."""

    def __init__(
        self, users: Users, key: SigningKey, settings: AuthSettings, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._users = users
        self._key = key
        self._settings = settings
        self._clock = clock

    async def open(self, user_id: uuid.UUID, *, method: str, user_agent: str, ip: str | None) -> dict[str, Any]:
        """Open a session and return it in GoTrue's JSON format.

        Args:
            user_id: whose session.
            method: how the user signed in, for the claim `amr`: `password` or `otp`.
            user_agent: the client's program.
            ip: the client's address.

        Raises:
            ApiError: the user was deleted meanwhile (400).
        """
        session_id, token = uuid.uuid4(), _new_token()
        async with self._users.transaction() as cursor:
            await cursor.execute(
                "update auth.users set last_sign_in_at = now(), updated_at = now() where id = %s", (user_id,)
            )
            if not cursor.rowcount:
                raise ApiError(400, "invalid_credentials", "Invalid login credentials")
            await cursor.execute(
                "insert into auth.sessions (id, user_id, created_at, updated_at, aal, user_agent, ip)"
                " values (%s, %s, now(), now(), 'aal1', %s, %s::inet)",
                (session_id, user_id, user_agent, ip),
            )
            await cursor.execute(
                "insert into auth.mfa_amr_claims (id, session_id, authentication_method, created_at, updated_at)"
                " values (gen_random_uuid(), %s, %s, now(), now())",
                (session_id, method),
            )
            await _add_token(cursor, token, user_id, session_id, parent=None)
            user = await self._users.read(cursor, user_id)
        return self._json(user, session_id, token, method=method)

    async def refresh(self, token: str) -> dict[str, Any]:
        """Exchange a refresh token for the session with the next token.

        A token may be reused for `REFRESH_TOKEN_REUSE_SECONDS`, because a client may lose the first response. Later
        reuse indicates theft and ends the session (RFC 9700, section 4.14.2).

        Raises:
            ApiError: the token is unknown or was reused, or the user is banned (400).
        """
        digest, new_token, reused = _digest(token), _new_token(), False
        async with self._users.transaction() as cursor:
            await cursor.execute(
                "select t.revoked, t.session_id, t.updated_at > now() - make_interval(secs => %s) as recent,"
                " (select m.authentication_method from auth.mfa_amr_claims m where m.session_id = s.id"
                f" order by m.created_at limit 1) as method, {USER}"
                " from auth.refresh_tokens t join auth.sessions s on s.id = t.session_id"
                " join auth.users u on u.id = s.user_id where t.token = %s for update of t, s".encode(),
                (REFRESH_TOKEN_REUSE_SECONDS, digest),
            )
            found = await cursor.fetchone()
            if found is None:
                raise ApiError(400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found")
            check_not_banned(found)
            if found["revoked"] and not found["recent"]:
                reused = True
                await cursor.execute("delete from auth.sessions where id = %s", (found["session_id"],))
            else:
                if not found["revoked"]:
                    await cursor.execute(
                        "update auth.refresh_tokens set revoked = true, updated_at = now() where token = %s", (digest,)
                    )
                await _add_token(cursor, new_token, found["id"], found["session_id"], parent=digest)
                await cursor.execute(
                    "update auth.sessions set refreshed_at = now(), updated_at = now() where id = %s",
                    (found["session_id"],),
                )
        if reused:
            raise ApiError(400, "refresh_token_already_used", "Invalid Refresh Token: Already Used")
        return self._json(found, found["session_id"], new_token, method=found["method"] or "password")

    async def exists(self, session_id: str) -> bool:
        """Return whether a session is open; False also if `session_id` is not a UUID."""
        if (id := parse_uuid(session_id)) is None:
            return False
        async with self._users.transaction() as cursor:
            await cursor.execute("select from auth.sessions where id = %s", (id,))
            return await cursor.fetchone() is not None

    async def close(self, user_id: uuid.UUID, session_id: str, scope: str) -> None:
        """End sessions of a user; `scope` is `local` (this session), `others` (all but this one) or `global` (all)."""
        conditions = {
            "local": "id = %(session)s",
            "global": "user_id = %(user)s",
            "others": "user_id = %(user)s and id <> %(session)s",
        }
        async with self._users.transaction() as cursor:
            await cursor.execute(
                f"delete from auth.sessions where {conditions[scope]}".encode(),
                {"user": user_id, "session": session_id},
            )

    def _json(self, user: Row, session_id: uuid.UUID, refresh_token: str, *, method: str) -> dict[str, Any]:
        now = int(self._clock())
        claims: Claims = {
            "iss": self._settings.issuer,
            "sub": str(user["id"]),
            "aud": user["aud"],
            "exp": now + self._settings.token_lifetime,
            "iat": now,
            "email": user["email"] or "",
            "phone": user["phone"] or "",
            "app_metadata": user["raw_app_meta_data"] or {},
            "user_metadata": user["raw_user_meta_data"] or {},
            "role": user["role"],
            "aal": "aal1",
            "amr": [{"method": method, "timestamp": now}],
            "session_id": str(session_id),
            "is_anonymous": user["is_anonymous"],
        }
        return {
            "access_token": sign(self._key, claims),
            "token_type": "bearer",
            "expires_in": self._settings.token_lifetime,
            "expires_at": claims["exp"],
            "refresh_token": refresh_token,
            "user": user_json(user),
        }


async def _add_token(
    cursor: Cursor, token: str, user_id: uuid.UUID, session_id: uuid.UUID, *, parent: str | None
) -> None:
    await cursor.execute(
        "insert into auth.refresh_tokens (token, user_id, revoked, created_at, updated_at, parent, session_id)"
        " values (%s, %s, false, now(), now(), %s, %s)",
        (_digest(token), str(user_id), parent, session_id),
    )


def _new_token() -> str:
    return secrets.token_urlsafe(18)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
