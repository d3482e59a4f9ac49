"""Users and sessions in the schema `auth`: what is stored, and how a user looks in an answer."""

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
REUSE_INTERVAL = 10


class Users:
    """Reads and writes `auth.users`, `auth.sessions` and `auth.refresh_tokens` as supabase_auth_admin."""

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
        user_id: str | None = None,
    ) -> Row:
        """Insert a user; raises ApiError (422, as hosted) when the address is taken."""
        identity = user_id or str(uuid.uuid4())
        metadata = {
            **user_metadata,
            "email": email,
            "email_verified": confirmed,
            "phone_verified": False,
            "sub": identity,
        }
        try:
            return await self._one(
                "insert into auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at,"
                " raw_app_meta_data, raw_user_meta_data, created_at, updated_at) values (%s, %s, 'authenticated',"
                " 'authenticated', %s, %s, case when %s then now() end, %s, %s, now(), now()) returning *",
                uuid.UUID(int=0),
                identity,
                email,
                password_hash,
                confirmed,
                json.dumps({"provider": "email", "providers": ["email"], **(app_metadata or {})}),
                json.dumps(metadata),
            )
        except psycopg.errors.UniqueViolation as error:
            raise ApiError(422, "user_already_exists", "User already registered") from error

    async def by_email(self, email: str) -> Row | None:
        return await self._maybe(
            "select * from auth.users where email = %s and is_sso_user = false and deleted_at is null", email
        )

    async def by_id(self, user_id: str) -> Row | None:
        try:
            identity = uuid.UUID(user_id)
        except ValueError:
            return None
        return await self._maybe("select * from auth.users where id = %s and deleted_at is null", identity)

    async def page(self, number: int, size: int) -> tuple[list[Row], int]:
        """Return one page of all users, oldest first, and how many there are."""
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
        """Change what is given; metadata is merged key by key. Raises ApiError when the new address is taken."""
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
        await self._execute("delete from auth.users where id = %s", user_id)

    async def open_session(self, user_id: uuid.UUID, *, user_agent: str, ip: str | None) -> tuple[Row, str]:
        """Start a session; return the user with its new `last_sign_in_at` plus `session_id`, and a refresh token."""
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
        """Exchange a refresh token for the next; return the user plus `session_id`, and the new token.

        A token may be used again for a few seconds (a reload while the first answer is lost); later use means that it
        was stolen and ends the whole session. Raises ApiError.
        """
        digest, new_token, reused = _digest(token), _new_token(), False
        async with self._cursor() as cursor, cursor.connection.transaction():
            await cursor.execute(
                "select t.revoked, t.session_id, t.updated_at > now() - make_interval(secs => %s) as recent, u.*"
                " from auth.refresh_tokens t join auth.sessions s on s.id = t.session_id"
                " join auth.users u on u.id = s.user_id where t.token = %s for update of t, s",
                (REUSE_INTERVAL, digest),
            )
            found = await cursor.fetchone()
            if found is None:
                raise ApiError(400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found")
            refuse_banned(found)
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
        try:
            identity = uuid.UUID(session_id)
        except ValueError:
            return False
        return await self._maybe("select id from auth.sessions where id = %s", identity) is not None

    async def close_sessions(self, user_id: str, session_id: str, scope: str) -> None:
        """End this session (`local`), all of the user (`global`) or all but this one (`others`)."""
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


def refuse_banned(user: Row) -> None:
    if user["banned_until"] and user["banned_until"] > datetime.now(UTC):
        raise ApiError(400, "user_banned", "User is banned")


def present(user: Row) -> Row:
    """A user as the Auth server shows it."""
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


def _new_token() -> str:
    return secrets.token_urlsafe(18)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
