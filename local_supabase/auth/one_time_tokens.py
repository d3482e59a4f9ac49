"""One-time tokens: the codes and links that confirm an address, sign in, recover a password or change an address."""

import hashlib
import json
import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from urllib.parse import urlencode

import psycopg

from local_supabase.auth.pkce import PKCE_PREFIX, Challenge, store_challenge
from local_supabase.auth.users import EMAIL_EXISTS, USER, Cursor, Row, Users, check_not_banned, set_identity
from local_supabase.errors import ApiError

OTP_DIGITS = 6
LIFETIME = timedelta(hours=1)
LINK_EXPIRED = "Email link is invalid or has expired"
CODE_EXPIRED = "Token has expired or is invalid"


class LinkType(StrEnum):
    """What a link or code is for, as in a request for a link."""

    SIGNUP = "signup"
    INVITE = "invite"
    MAGIC_LINK = "magiclink"
    RECOVERY = "recovery"
    EMAIL_CHANGE_CURRENT = "email_change_current"
    EMAIL_CHANGE_NEW = "email_change_new"
    REAUTHENTICATION = "reauthentication"

    @property
    def columns(self) -> tuple[str, str]:
        """The columns of `auth.users` with the token and the time when it was sent."""
        return _COLUMNS[self]

    @property
    def verification(self) -> str:
        """The `type` under which the token is verified."""
        return "email_change" if self in (LinkType.EMAIL_CHANGE_CURRENT, LinkType.EMAIL_CHANGE_NEW) else self.value


_CONFIRMATION = ("confirmation_token", "confirmation_sent_at")
_RECOVERY = ("recovery_token", "recovery_sent_at")
_CHANGE_CURRENT = ("email_change_token_current", "email_change_sent_at")
_CHANGE_NEW = ("email_change_token_new", "email_change_sent_at")
_COLUMNS = {
    LinkType.SIGNUP: _CONFIRMATION,
    LinkType.INVITE: _CONFIRMATION,
    LinkType.MAGIC_LINK: _RECOVERY,
    LinkType.RECOVERY: _RECOVERY,
    LinkType.EMAIL_CHANGE_CURRENT: _CHANGE_CURRENT,
    LinkType.EMAIL_CHANGE_NEW: _CHANGE_NEW,
    LinkType.REAUTHENTICATION: ("reauthentication_token", "reauthentication_sent_at"),
}
# The columns that hold the token of a verification's `type`.
VERIFICATIONS = {
    "signup": (_CONFIRMATION,),
    "invite": (_CONFIRMATION,),
    "magiclink": (_RECOVERY,),
    "recovery": (_RECOVERY,),
    "email": (_CONFIRMATION, _RECOVERY),
    "email_change": (_CHANGE_CURRENT, _CHANGE_NEW),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An issued token: its code, its digest, and the address that verifies it; `to` is who is to receive it."""

    type: LinkType
    to: str
    code: str
    hashed_token: str
    url: str
    redirect_to: str
    new_email: str


class OneTimeTokens:
    """Issues and redeems tokens; each is stored as a digest, is valid for an hour, and replaces the one before."""

    def __init__(self, users: Users, auth_url: str, *, both_confirm: bool = False) -> None:
        """Create it.

        Args:
            users: who has the tokens.
            auth_url: address of the Auth server, for links.
            both_confirm: whether the present and the new address both confirm a change of address.
        """
        self._users = users
        self._auth_url = auth_url
        self._both_confirm = both_confirm

    async def issue(
        self,
        user: Row,
        type: LinkType,
        *,
        redirect_to: str,
        new_email: str | None = None,
        challenge: Challenge | None = None,
    ) -> Link:
        """Issue a token for a user.

        Args:
            user: for whom.
            type: what it is for.
            redirect_to: where the link leads after its verification.
            new_email: the new address, for a change of address.
            challenge: of the PKCE flow, in which the link leads to a code instead of a session.
        """
        to = new_email if new_email and type is LinkType.EMAIL_CHANGE_NEW else str(user["email"])
        code = "".join(secrets.choice("0123456789") for _ in range(OTP_DIGITS))
        hashed = ("" if challenge is None else PKCE_PREFIX) + digest(to, code)
        column, sent_at = type.columns
        async with self._users.transaction() as cursor:
            await cursor.execute(
                f"update auth.users set {column} = %s, {sent_at} = now(), updated_at = now(),"
                " invited_at = case when %s then now() else invited_at end,"
                " email_change_confirm_status = case when email_change <> coalesce(%s, email_change) then 0"
                " else email_change_confirm_status end,"
                " email_change = coalesce(%s, email_change) where id = %s".encode(),
                (hashed, type is LinkType.INVITE, new_email, new_email, user["id"]),
            )
            if challenge:
                await store_challenge(cursor, user["id"], challenge, type.verification)
        query = urlencode({"token": hashed, "type": type.verification, "redirect_to": redirect_to})
        return Link(
            type=type,
            to=to,
            code=code,
            hashed_token=hashed,
            url=f"{self._auth_url}/verify?{query}",
            redirect_to=redirect_to,
            new_email=new_email or "",
        )

    async def redeem_hash(self, type: str, token_hash: str) -> Row | None:
        """Redeem the token of a link.

        Returns:
            The user; None after the first of two confirmations of a change of address.

        Raises:
            ApiError: the type is unknown (400), or the token is, was used or has expired (403).
        """
        columns = _columns_of(type)
        async with self._users.transaction() as cursor:
            condition = " or ".join(f"u.{column} = %s" for column, _ in columns)
            users = await _locked(cursor, condition, *[token_hash] * len(columns))
            return await self._redeem(cursor, users, columns, {token_hash}, LINK_EXPIRED)

    async def redeem_code(self, type: str, email: str, code: str) -> Row | None:
        """Redeem the code that was sent to an address, like `redeem_hash`."""
        columns = _columns_of(type)
        hashed = digest(email, code)
        async with self._users.transaction() as cursor:
            condition = "(u.email = %s or u.email_change = %s) and u.deleted_at is null and not u.is_sso_user"
            users = await _locked(cursor, condition, email, email)
            return await self._redeem(cursor, users, columns, {hashed, PKCE_PREFIX + hashed}, CODE_EXPIRED)

    async def redeem_nonce(self, user: Row, nonce: str) -> None:
        """Redeem the code of a reauthentication; raises ApiError (422) if it is wrong or has expired."""
        column, sent_at = LinkType.REAUTHENTICATION.columns
        if user[column] != digest(str(user["email"]), nonce) or not _is_recent(user[sent_at]):
            raise ApiError(422, "reauthentication_not_valid", "Nonce has expired or is invalid")
        async with self._users.transaction() as cursor:
            await cursor.execute(f"update auth.users set {column} = '' where id = %s".encode(), (user["id"],))

    async def _redeem(
        self, cursor: Cursor, users: list[Row], columns: tuple[tuple[str, str], ...], hashes: set[str], expired: str
    ) -> Row | None:
        found = [
            (user, column)
            for user in users
            for column, sent_at in columns
            if user[column] in hashes and _is_recent(user[sent_at])
        ]
        if not found:
            raise ApiError(403, "otp_expired", expired)
        user, column = found[0]
        check_not_banned(user, status=403)
        if column.startswith("email_change"):
            # A link that the service role alone asked for has no counterpart.
            other = _CHANGE_NEW[0] if column == _CHANGE_CURRENT[0] else _CHANGE_CURRENT[0]
            if self._both_confirm and not user["email_change_confirm_status"] and user[other]:
                await cursor.execute(
                    f"update auth.users set {column} = '', email_change_confirm_status = 1 where id = %s".encode(),
                    (user["id"],),
                )
                return None
            await _change_address(cursor, user)
        else:
            await cursor.execute(f"update auth.users set {column} = '' where id = %s".encode(), (user["id"],))
            if column == "confirmation_token" or user["email_confirmed_at"] is None:
                await _confirm(cursor, user["id"])
        return await self._users.read(cursor, user["id"])


def digest(address: str, code: str) -> str:
    """Return the digest of a code, as GoTrue computes it."""
    return hashlib.sha224((address + code).encode()).hexdigest()


def _columns_of(type: str) -> tuple[tuple[str, str], ...]:
    if type not in VERIFICATIONS:
        raise ApiError(400, "validation_failed", "Invalid email verification type")
    return VERIFICATIONS[type]


def _is_recent(sent_at: datetime | None) -> bool:
    return sent_at is not None and datetime.now(UTC) - sent_at < LIFETIME


async def _locked(cursor: Cursor, condition: str, *values: object) -> list[Row]:
    await cursor.execute(f"select {USER} from auth.users u where {condition} for update of u".encode(), values)
    return await cursor.fetchall()


async def _confirm(cursor: Cursor, user_id: uuid.UUID) -> None:
    await cursor.execute(
        "update auth.users set email_confirmed_at = now(), confirmation_token = '', updated_at = now(),"
        " raw_user_meta_data = coalesce(raw_user_meta_data, '{}') || %s::jsonb where id = %s",
        (json.dumps({"email_verified": True}), user_id),
    )
    await set_identity(cursor, user_id, email=None, verified=True)


async def _change_address(cursor: Cursor, user: Row) -> None:
    """Make the new address effective."""
    try:
        await cursor.execute(
            "update auth.users set email = email_change, email_change = '', email_change_token_new = '',"
            " email_change_token_current = '', email_change_confirm_status = 0,"
            " email_confirmed_at = coalesce(email_confirmed_at, now()), updated_at = now() where id = %s",
            (user["id"],),
        )
    except psycopg.errors.UniqueViolation as error:
        raise ApiError(422, "email_exists", EMAIL_EXISTS) from error
    await set_identity(cursor, user["id"], email=user["email_change"], verified=True)
