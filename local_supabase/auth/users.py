"""Users and sessions in the schema `auth`, and the JSON representation of a user."""

import hashlib
import json
import secrets
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from local_supabase.errors import ApiError
from local_supabase.postgres.pool import Pool

Row = dict[str, Any]
REFRESH_TOKEN_REUSE_SECONDS = 10


class Users:
    """Reads and writes `auth.users`, `auth.sessions` and `auth.refresh_tokens` through the role of `pool`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create(
        self,
        *,
        email: str,
        password_hash: str,
        user_metadata: Row,
        app_metadata: Row | None = None,
        confirmed: bool = True,
    ) -> Row:
        """Insert a user and return it; raises ApiError (422, as hosted Auth does) if the address is taken."""
        user_id = str(uuid.uuid4())
        metadata = {
            **user_metadata,
            "email": email,
            "email_verified": confirmed,
            "phone_verified": False,
            "sub": user_id,
        }
        try:
            return await self._one(
                "insert into auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at,"
                " raw_app_meta_data, raw_user_meta_data, created_at, updated_at) values (%s, %s, 'authenticated',"
                " 'authenticated', %s, %s, case when %s then now() end, %s, %s, now(), now()) returning *",
                uuid.UUID(int=0),
                user_id,
                email,
                password_hash,
                confirmed,
                json.dumps({"provider": "email", "providers": ["email"], **(app_metadata or {})}),
                json.dumps(metadata),
            )
        except psycopg.errors.UniqueViolation as error:
            raise ApiError(422, "user_already_exists", "User already registered") from error

    async def by_email(self, email: str) -> Row | None:
        """Return the user with a normalized address."""
        return await self._maybe(
            "select * from auth.users where email = %s and is_sso_user = false and deleted_at is null", email
        )

    async def by_id(self, user_id: str) -> Row | None:
        """Return a user; None also if `user_id` is not a UUID."""
        if (id := _parse_uuid(user_id)) is None:
            return None
        return await self._maybe("select * from auth.users where id = %s and deleted_at is null", id)

    async def page(self, number: int, size: int) -> tuple[list[Row], int]:
        """Return page `number` (from 1) of all users, oldest first, and the number of users."""
        async with self._cursor() as cursor:
            await cursor.execute(
                "select * from auth.users where deleted_at is null order by created_at, id limit %s offset %s",
                (size, (number - 1) * size),
            )
            rows = await cursor.fetchall()
            await cursor.execute("select count(*) as total from auth.users where deleted_at is null")
            total = await cursor.fetchone()
        return rows, int(total["total"]) if total else 0

    async def update(
        self,
        user_id: uuid.UUID,
        *,
        email: str | None = None,
        password_hash: str | None = None,
        user_metadata: Row | None = None,
        app_metadata: Row | None = None,
        banned_until: datetime | None = None,
    ) -> Row:
        """Change the given fields and merge metadata key by key; return the user.

        Raises:
            ApiError: the new address is taken (422), or there is no such user (404).
        """
        try:
            return await self._one(
                "update auth.users set email = coalesce(%s, email),"
                " encrypted_password = coalesce(%s, encrypted_password),"
                " raw_user_meta_data = coalesce(raw_user_meta_data, '{}') || coalesce(%s::jsonb, '{}'),"
                " raw_app_meta_data = coalesce(raw_app_meta_data, '{}') || coalesce(%s::jsonb, '{}'),"
                " banned_until = coalesce(%s, banned_until), updated_at = now() where id = %s returning *",
                email,
                password_hash,
                json.dumps(user_metadata) if user_metadata else None,
                json.dumps(app_metadata) if app_metadata else None,
                banned_until,
                user_id,
            )
        except psycopg.errors.UniqueViolation as error:
            raise ApiError(422, "email_exists", "A user with this email address has already been registered") from error

    async def delete(self, user_id: uuid.UUID) -> None:
        """Delete a user and, by cascade, its sessions; idempotent."""
        await self._execute("delete from auth.users where id = %s", user_id)

    async def open_session(self, user_id: uuid.UUID, *, user_agent: str, ip: str | None) -> tuple[Row, str]:
        """Insert a session; return the user, extended by `session_id`, and a refresh token.

        Raises:
            ApiError: the user was deleted meanwhile (400).
        """
        session_id, token = uuid.uuid4(), _new_token()
        async with self._cursor() as cursor, cursor.connection.transaction():
            await cursor.execute(
                "insert into auth.sessions (id, user_id, created_at, updated_at, aal, user_agent, ip)"
                " values (%s, %s, now(), now(), 'aal1', %s, %s::inet)",
                (session_id, user_id, user_agent, ip),
            )
            await self._add_token(cursor, token, user_id, session_id, parent=None)
            await cursor.execute(
                "update auth.users set last_sign_in_at = now(), updated_at = now() where id = %s returning *",
                (user_id,),
            )
            user = await cursor.fetchone()
        if user is None:
            raise ApiError(400, "invalid_credentials", "Invalid login credentials")
        return {**user, "session_id": session_id}, token

    async def rotate(self, token: str) -> tuple[Row, str]:
        """Exchange a refresh token; return the user, extended by `session_id`, and the next token.

        A token may be reused for `REFRESH_TOKEN_REUSE_SECONDS`, because a client may lose the first response. Later
        reuse indicates theft and ends the session (RFC 9700, section 4.14.2).

        Raises:
            ApiError: the token is unknown or was reused, or the user is banned (400).
        """
        digest, new_token, reused = _digest(token), _new_token(), False
        async with self._cursor() as cursor, cursor.connection.transaction():
            await cursor.execute(
                "select t.revoked, t.session_id, t.updated_at > now() - make_interval(secs => %s) as recent, u.*"
                " from auth.refresh_tokens t join auth.sessions s on s.id = t.session_id"
                " join auth.users u on u.id = s.user_id where t.token = %s for update of t, s",
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
                await self._add_token(cursor, new_token, found["id"], found["session_id"], parent=digest)
                await cursor.execute(
                    "update auth.sessions set refreshed_at = now(), updated_at = now() where id = %s",
                    (found["session_id"],),
                )
        if reused:
            raise ApiError(400, "refresh_token_already_used", "Invalid Refresh Token: Already Used")
        return found, new_token

    async def session_exists(self, session_id: str) -> bool:
        """Return whether a session is open; False also if `session_id` is not a UUID."""
        if (id := _parse_uuid(session_id)) is None:
            return False
        return await self._maybe("select id from auth.sessions where id = %s", id) is not None

    async def close_sessions(self, user_id: str, session_id: str, scope: str) -> None:
        """End sessions of a user; `scope` is `local` (this session), `others` (all but this one) or `global` (all)."""
        conditions = {
            "local": "id = %(session)s",
            "global": "user_id = %(user)s",
            "others": "user_id = %(user)s and id <> %(session)s",
        }
        async with self._cursor() as cursor:
            await cursor.execute(
                f"delete from auth.sessions where {conditions[scope]}".encode(),
                {"user": user_id, "session": session_id},
            )

    async def _add_token(
        self,
        cursor: psycopg.AsyncCursor[Row],
        token: str,
        user_id: uuid.UUID,
        session_id: uuid.UUID,
        *,
        parent: str | None,
    ) -> None:
        await cursor.execute(
            "insert into auth.refresh_tokens (token, user_id, revoked, created_at, updated_at, parent, session_id)"
            " values (%s, %s, false, now(), now(), %s, %s)",
            (_digest(token), str(user_id), parent, session_id),
        )

    @asynccontextmanager
    async def _cursor(self) -> AsyncIterator[psycopg.AsyncCursor[Row]]:
        async with self._pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            yield cursor

    async def _maybe(self, query: str, *values: object) -> Row | None:
        async with self._cursor() as cursor:
            await cursor.execute(query.encode(), values)
            return await cursor.fetchone()

    async def _one(self, query: str, *values: object) -> Row:
        row = await self._maybe(query, *values)
        if row is None:
            raise ApiError(404, "user_not_found", "User not found")
        return row

    async def _execute(self, query: str, *values: object) -> None:
        async with self._cursor() as cursor:
            await cursor.execute(query.encode(), values)


def check_not_banned(user: Row) -> None:
    """Raise ApiError (400) if the user is banned."""
    if user["banned_until"] and user["banned_until"] > datetime.now(UTC):
        raise ApiError(400, "user_banned", "User is banned")


def user_json(user: Row) -> Row:
    """Return a user in GoTrue's JSON format."""
    metadata = user["raw_user_meta_data"] or {}
    times = {name: _time(user[name]) for name in ("created_at", "updated_at", "last_sign_in_at")}
    identity = {
        "identity_id": str(user["id"]),
        "id": str(user["id"]),
        "user_id": str(user["id"]),
        "identity_data": {
            "email": user["email"],
            "email_verified": user["email_confirmed_at"] is not None,
            "phone_verified": False,
            "sub": str(user["id"]),
        },
        "provider": "email",
        **times,
        "email": user["email"],
    }
    optional = {name: _time(user[name]) for name in ("email_confirmed_at", "confirmed_at", "banned_until")}
    return {
        "id": str(user["id"]),
        "aud": user["aud"],
        "role": user["role"],
        "email": user["email"],
        "phone": user["phone"] or "",
        "app_metadata": user["raw_app_meta_data"] or {},
        "user_metadata": metadata,
        "identities": [identity],
        **times,
        **{name: value for name, value in optional.items() if value},
        "is_anonymous": user["is_anonymous"],
    }


def _time(value: datetime | None) -> str | None:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if value else None


def _parse_uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _new_token() -> str:
    return secrets.token_urlsafe(18)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
