"""Users and their identities in the schema `auth`, and the JSON representation of a user."""

import base64
import hashlib
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row

from local_supabase.errors import ApiError
from local_supabase.postgres.pool import Pool

Row = dict[str, Any]
Cursor = psycopg.AsyncCursor[Row]

AUDIENCE = "authenticated"
EMAIL_EXISTS = "A user with this email address has already been registered"
USER = (
    "u.*, (select coalesce(jsonb_agg(to_jsonb(i) order by i.created_at, i.id), '[]') from auth.identities i"
    " where i.user_id = u.id) as identities"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUser:
    """What a user is created with; `ban` is the time until the ban ends, `invited` whether somebody invited them."""

    email: str
    password_hash: str | None = None
    user_metadata: Row = field(default_factory=dict)
    app_metadata: Row = field(default_factory=dict)
    confirmed: bool = True
    id: uuid.UUID | None = None
    role: str = "authenticated"
    audience: str = AUDIENCE
    ban: timedelta = timedelta(0)
    invited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UserChanges:
    """What to change of a user; None leaves a value as it is, and metadata are merged key by key.

    A key whose value is None is removed. A `ban` of zero ends a ban.
    """

    email: str | None = None
    password_hash: str | None = None
    user_metadata: Row | None = None
    app_metadata: Row | None = None
    role: str | None = None
    confirm: bool = False
    ban: timedelta | None = None


class Users:
    """Reads and writes `auth.users` and `auth.identities` through the role of `pool`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create(self, new: NewUser) -> Row:
        """Insert a user with an identity, and return it.

        Raises:
            ApiError: the address or the id is taken (422, as hosted Auth answers for an address).
        """
        user_id = new.id or uuid.uuid4()
        verified = {"email_verified": True} if new.confirmed else {}
        app_metadata = _merged({"provider": "email", "providers": ["email"]}, new.app_metadata)
        identity = {"sub": str(user_id), "email": new.email, "email_verified": new.confirmed, "phone_verified": False}
        try:
            async with self.transaction() as cursor:
                await cursor.execute(
                    "insert into auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at,"
                    " invited_at, banned_until, raw_app_meta_data, raw_user_meta_data, created_at, updated_at)"
                    " values (%s, %s, %s, %s, %s, %s, case when %s then now() end, case when %s then now() end,"
                    " now() + nullif(%s, interval '0'), %s, %s, now(), now())",
                    (
                        uuid.UUID(int=0), user_id, new.audience, new.role, new.email, new.password_hash, new.confirmed,
                        new.invited, new.ban, json.dumps(app_metadata), json.dumps({**new.user_metadata, **verified}),
                    ),
                )  # fmt: skip
                await _add_identity(cursor, user_id, identity)
                return await self.read(cursor, user_id)
        except psycopg.errors.UniqueViolation as error:
            if error.diag.constraint_name == "users_pkey":
                raise ApiError(422, "conflict", f"A user with the id {user_id} exists already") from error
            raise ApiError(422, "user_already_exists", "User already registered") from error

    async def by_email(self, email: str) -> Row | None:
        """Return the user with a normalized address."""
        return await self._maybe("u.email = %s and u.is_sso_user = false and u.deleted_at is null", email)

    async def by_id(self, user_id: str) -> Row | None:
        """Return a user, also one that was deleted softly; None also if `user_id` is not a UUID."""
        return await self._maybe("u.id = %s", id) if (id := parse_uuid(user_id)) else None

    async def read(self, cursor: Cursor, user_id: uuid.UUID) -> Row:
        """Return a user within a transaction; raises ApiError (404) if there is none."""
        await cursor.execute(f"select {USER} from auth.users u where u.id = %s".encode(), (user_id,))
        row = await cursor.fetchone()
        if row is None:
            raise ApiError(404, "user_not_found", "User not found")
        return row

    async def page(self, number: int, size: int, *, ascending: bool, search: str) -> tuple[list[Row], int]:
        """Return page `number` (from 1) of the users by time of creation, and the number of all.

        Args:
            number: the page.
            size: users per page.
            ascending: whether the oldest come first.
            search: part of the address or of `full_name` in the metadata; empty for all.
        """
        direction = "asc" if ascending else "desc"
        condition = "(%(search)s = '' or email like %(like)s or raw_user_meta_data ->> 'full_name' ilike %(like)s)"
        values = {"search": search, "like": f"%{search}%", "size": size, "offset": (number - 1) * size}
        async with self._cursor() as cursor:
            await cursor.execute(
                f"select {USER} from auth.users u where {condition}"
                f" order by created_at {direction}, id {direction} limit %(size)s offset %(offset)s".encode(),
                values,
            )
            rows = await cursor.fetchall()
            await cursor.execute(f"select count(*) as total from auth.users where {condition}".encode(), values)
            total = await cursor.fetchone()
        return rows, int(total["total"]) if total else 0

    async def update(self, user_id: uuid.UUID, changes: UserChanges) -> Row:
        """Change a user and return it; a new address or a confirmation is also recorded in the identity.

        Raises:
            ApiError: the new address is taken (422), or there is no such user (404).
        """
        user_metadata = dict(changes.user_metadata or {})
        if changes.confirm:
            user_metadata.setdefault("email_verified", True)
        try:
            async with self.transaction() as cursor:
                await cursor.execute(
                    "update auth.users set email = coalesce(%(email)s, email),"
                    " encrypted_password = coalesce(%(password)s, encrypted_password), role = coalesce(%(role)s, role),"
                    " email_confirmed_at = case when %(confirm)s then now() else email_confirmed_at end,"
                    " confirmation_token = case when %(confirm)s then '' else confirmation_token end,"
                    " banned_until = case when %(ban)s::interval is null then banned_until"
                    " else now() + nullif(%(ban)s, interval '0') end,"
                    " raw_user_meta_data = (coalesce(raw_user_meta_data, '{}') || %(user)s::jsonb)"
                    " - %(no_user)s::text[],"
                    " raw_app_meta_data = (coalesce(raw_app_meta_data, '{}') || %(app)s::jsonb) - %(no_app)s::text[],"
                    " updated_at = now() where id = %(id)s",
                    {
                        "id": user_id, "email": changes.email, "password": changes.password_hash, "role": changes.role,
                        "confirm": changes.confirm, "ban": changes.ban,
                        **_merge("user", user_metadata), **_merge("app", changes.app_metadata or {}),
                    },
                )  # fmt: skip
                if changes.email or changes.confirm:
                    await set_identity(cursor, user_id, email=changes.email, verified=changes.confirm)
                return await self.read(cursor, user_id)
        except psycopg.errors.UniqueViolation as error:
            raise ApiError(422, "email_exists", EMAIL_EXISTS) from error

    async def delete(self, user_id: uuid.UUID) -> None:
        """Delete a user and, by cascade, its sessions; idempotent."""
        async with self._cursor() as cursor:
            await cursor.execute("delete from auth.users where id = %s", (user_id,))

    async def soft_delete(self, user: Row) -> None:
        """End a user's sessions and keep only the row, without personal data; idempotent."""
        if user["deleted_at"]:
            return
        async with self.transaction() as cursor:
            await cursor.execute(
                "update auth.users set email = %s, phone = case when phone is null then null else %s end,"
                " email_change = '', phone_change = '', encrypted_password = null, confirmation_token = '',"
                " recovery_token = '', email_change_token_new = '', email_change_token_current = '',"
                " raw_user_meta_data = '{}', raw_app_meta_data = '{}', deleted_at = now() where id = %s",
                (_obscured(user, user["email"]), _obscured(user, user["phone"])[:15], user["id"]),
            )
            for identity in user["identities"]:
                await cursor.execute(
                    "update auth.identities set identity_data = '{}', provider_id = %s where id = %s",
                    (_obscured(user, f"{identity['provider']}:{identity['provider_id']}"), identity["id"]),
                )
            await cursor.execute("delete from auth.sessions where user_id = %s", (user["id"],))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Cursor]:
        """Lend a cursor; what it does happens as a whole or not at all."""
        async with self._cursor() as cursor, cursor.connection.transaction():
            yield cursor

    @asynccontextmanager
    async def _cursor(self) -> AsyncIterator[Cursor]:
        async with self._pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            yield cursor

    async def _maybe(self, condition: str, *values: object) -> Row | None:
        async with self._cursor() as cursor:
            await cursor.execute(f"select {USER} from auth.users u where {condition}".encode(), values)
            return await cursor.fetchone()


async def set_identity(cursor: Cursor, user_id: uuid.UUID, *, email: str | None, verified: bool) -> None:
    """Set address and verification of a user's identity by e-mail; a new address makes one if there is none."""
    data: Row = {"email": email} if email else {}
    # A new address is as little verified as the caller says; a mere confirmation leaves the address as it is.
    data["email_verified"] = verified
    await cursor.execute(
        "update auth.identities set identity_data = identity_data || %s::jsonb, updated_at = now()"
        " where user_id = %s and provider = 'email'",
        (json.dumps(data), user_id),
    )
    if email and cursor.rowcount == 0:
        await _add_identity(cursor, user_id, {"sub": str(user_id), "phone_verified": False, **data})


async def _add_identity(cursor: Cursor, user_id: uuid.UUID, data: Row) -> None:
    await cursor.execute(
        "insert into auth.identities (provider_id, user_id, identity_data, provider, last_sign_in_at, created_at,"
        " updated_at) values (%s, %s, %s, 'email', now(), now(), now())",
        (str(user_id), user_id, json.dumps(data)),
    )


def check_not_banned(user: Row, *, status: int = 400) -> None:
    """Raise ApiError with `status` if the user is banned."""
    if user["banned_until"] and user["banned_until"] > datetime.now(UTC):
        raise ApiError(status, "user_banned", "User is banned")


def user_json(user: Row) -> Row:
    """Return a user in GoTrue's JSON format."""
    times = {name: _time(user[name]) for name in ("created_at", "updated_at")}
    optional = {
        name: _time(user[name])
        for name in (
            "email_confirmed_at", "invited_at", "confirmation_sent_at", "confirmed_at", "recovery_sent_at",
            "email_change_sent_at", "last_sign_in_at", "banned_until", "deleted_at",
        )
    }  # fmt: skip
    return {
        "id": str(user["id"]),
        "aud": user["aud"],
        "role": user["role"],
        "email": user["email"] or "",
        "phone": user["phone"] or "",
        **({"new_email": user["email_change"]} if user["email_change"] else {}),
        "app_metadata": user["raw_app_meta_data"] or {},
        "user_metadata": user["raw_user_meta_data"] or {},
        "identities": [_identity_json(identity) for identity in user["identities"]],
        **times,
        **{name: value for name, value in optional.items() if value},
        "is_anonymous": user["is_anonymous"],
    }


def parse_uuid(text: str) -> uuid.UUID | None:
    """Return a UUID, None if the text is none."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _identity_json(identity: Row) -> Row:
    moments = {
        name: _time(datetime.fromisoformat(value))
        for name in ("last_sign_in_at", "created_at", "updated_at")
        if (value := identity[name])
    }
    return {
        "identity_id": identity["id"],
        "id": identity["provider_id"],
        "user_id": identity["user_id"],
        "identity_data": identity["identity_data"],
        "provider": identity["provider"],
        **moments,
        **({"email": identity["email"]} if identity["email"] else {}),
    }


def _merge(name: str, updates: Row) -> Row:
    """Return the parameters of a merge in SQL: `name` and the keys to remove, `no_name`."""
    removed = [key for key, value in updates.items() if value is None]
    return {
        name: json.dumps({key: value for key, value in updates.items() if value is not None}),
        f"no_{name}": removed,
    }


def _merged(values: Row, updates: Row) -> Row:
    return {key: value for key, value in {**values, **updates}.items() if value is not None}


def _obscured(user: Row, value: str | None) -> str:
    digest = hashlib.sha256(f"{user['id']}{value or ''}".encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _time(value: datetime | None) -> str | None:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if value else None
