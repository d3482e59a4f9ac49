"""Users of an external provider: found by identity, linked by verified address, or created, as GoTrue decides."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local_supabase.auth.fields import normalize_email
from local_supabase.auth.users import AUDIENCE, USER, Cursor, Row, check_not_banned
from local_supabase.errors import ApiError

# Of the protocol, not of the person.
PROTOCOL_CLAIMS = {
    "iss", "sub", "aud", "exp", "iat", "nbf", "jti", "nonce", "azp", "at_hash", "c_hash", "s_hash", "auth_time", "acr",
    "amr", "sid", "typ", "session_state", "ver", "uti", "rh", "aio",
}  # fmt: skip
PROFILE_CLAIMS = {
    "name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile", "picture",
    "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at", "phone",
}  # fmt: skip
DOMAIN_VERIFIED = "xms_edov"
"""Claim of Entra ID, whose tokens have no `email_verified`: the owner of the address's domain has verified it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalIdentity:
    """What a provider said about a user; `data` is `identity_data` in GoTrue's format."""

    provider: str
    subject: str
    email: str | None
    is_verified: bool
    data: Row

    @classmethod
    def from_claims(cls, provider: str, claims: Mapping[str, Any]) -> "ExternalIdentity":
        """Return the identity of validated claims; raises ApiError (400) for a malformed address."""
        address = claims.get("email")
        email = normalize_email(address) if isinstance(address, str) and address else None
        is_verified = email is not None and (_is_true(claims, "email_verified") or _is_true(claims, DOMAIN_VERIFIED))
        known = PROTOCOL_CLAIMS | PROFILE_CLAIMS | {"email", "email_verified", DOMAIN_VERIFIED, "phone_verified"}
        custom = {name: value for name, value in claims.items() if name not in known}
        name, picture = claims.get("name"), claims.get("picture")
        data = {
            "iss": claims["iss"],
            "sub": claims["sub"],
            **{name: claims[name] for name in sorted(PROFILE_CLAIMS) if claims.get(name)},
            "email": email,
            "email_verified": is_verified,
            "phone_verified": _is_true(claims, "phone_verified"),
            "custom_claims": custom or None,
            "full_name": name,
            "avatar_url": picture,
            "provider_id": claims["sub"],
        }
        clean = _storable({name: value for name, value in data.items() if value is not None})
        return cls(provider=provider, subject=clean["sub"], email=email, is_verified=is_verified, data=clean)

    @property
    def domain(self) -> str:
        """Domain of the address."""
        return (self.email or "").rpartition("@")[2]


async def sign_in(cursor: Cursor, identity: ExternalIdentity, *, may_sign_up: bool) -> uuid.UUID:
    """Return the user of an identity, within a transaction; the user is linked or created if necessary.

    Args:
        cursor: of the transaction.
        identity: who signed in at the provider.
        may_sign_up: whether a user may be created.

    Raises:
        ApiError: there is no verified address or no sign-up (422), or the user is banned (403).
    """
    # Two first sign-ins at once would create two users.
    await cursor.execute("select pg_advisory_xact_lock(hashtextextended('local_supabase external sign-in', 0))")
    user = await _one(
        cursor,
        "u.id = (select user_id from auth.identities where provider = %s and provider_id = %s)"
        " and u.deleted_at is null",
        identity.provider,
        identity.subject,
    )
    if user:
        check_not_banned(user, status=403)
        await _update_identity(cursor, identity)
    else:
        user = await _first_sign_in(cursor, identity, may_sign_up=may_sign_up)
    user_id = uuid.UUID(str(user["id"]))
    await _update_metadata(cursor, user_id, identity)
    return user_id


async def _first_sign_in(cursor: Cursor, identity: ExternalIdentity, *, may_sign_up: bool) -> Row:
    if identity.email is None:
        raise ApiError(500, "unexpected_failure", "Error getting user email from external provider")
    if not identity.is_verified:
        raise ApiError(
            422,
            "provider_email_needs_verification",
            f"Unverified email with {identity.provider}. Verify the email with {identity.provider} in order to sign in",
        )
    user = await _one(cursor, "u.email = %s and not u.is_sso_user and u.deleted_at is null", identity.email)
    if user:
        check_not_banned(user, status=403)
        await _take_over(cursor, user)
    elif may_sign_up:
        user = await _create(cursor, identity)
    else:
        raise ApiError(422, "signup_disabled", "Signups not allowed for this instance")
    await cursor.execute(
        "insert into auth.identities (provider_id, user_id, identity_data, provider, last_sign_in_at, created_at,"
        " updated_at) values (%s, %s, %s, %s, now(), now(), now())",
        (identity.subject, user["id"], json.dumps(identity.data), identity.provider),
    )
    return user


async def _take_over(cursor: Cursor, user: Row) -> None:
    """Leave the account of an address to who proved at the provider that the address is theirs.

    Sign-ups here need no proof, so that somebody else may have opened the account and know its password. GoTrue does
    the same where an address is unconfirmed.
    """
    await cursor.execute("delete from auth.sessions where user_id = %s", (user["id"],))
    await cursor.execute(
        "update auth.users set encrypted_password = null, confirmation_token = '', recovery_token = '',"
        " email_change = '', email_change_token_new = '', email_change_token_current = '', reauthentication_token = '',"
        " email_confirmed_at = coalesce(email_confirmed_at, now()),"
        " raw_user_meta_data = case when email_confirmed_at is null then '{}' else raw_user_meta_data end"
        " where id = %s",
        (user["id"],),
    )
    if user["email_confirmed_at"] is None:
        await cursor.execute("delete from auth.identities where user_id = %s", (user["id"],))


async def _create(cursor: Cursor, identity: ExternalIdentity) -> Row:
    user_id = uuid.uuid4()
    await cursor.execute(
        "insert into auth.users (instance_id, id, aud, role, email, email_confirmed_at, raw_app_meta_data,"
        " raw_user_meta_data, created_at, updated_at)"
        " values (%s, %s, %s, 'authenticated', %s, now(), '{}', %s, now(), now())",
        (uuid.UUID(int=0), user_id, AUDIENCE, identity.email, json.dumps(identity.data)),
    )
    return {"id": user_id}


async def _update_identity(cursor: Cursor, identity: ExternalIdentity) -> None:
    await cursor.execute(
        "update auth.identities set identity_data = %s, last_sign_in_at = now(), updated_at = now()"
        " where provider = %s and provider_id = %s",
        (json.dumps(identity.data), identity.provider, identity.subject),
    )


async def _update_metadata(cursor: Cursor, user_id: uuid.UUID, identity: ExternalIdentity) -> None:
    await cursor.execute(
        "select coalesce(jsonb_agg(provider order by created_at, provider), '[]') as providers"
        " from (select provider, min(created_at) as created_at from auth.identities where user_id = %s group by 1) p",
        (user_id,),
    )
    row = await cursor.fetchone()
    providers = row["providers"] if row else [identity.provider]
    await cursor.execute(
        "update auth.users set raw_user_meta_data = coalesce(raw_user_meta_data, '{}') || %s::jsonb,"
        " raw_app_meta_data = coalesce(raw_app_meta_data, '{}') || %s::jsonb, updated_at = now() where id = %s",
        (
            json.dumps(identity.data),
            json.dumps({"provider": providers[0], "providers": providers}),
            user_id,
        ),
    )


async def _one(cursor: Cursor, condition: str, *values: object) -> Row | None:
    await cursor.execute(f"select {USER} from auth.users u where {condition} for update of u".encode(), values)
    return await cursor.fetchone()


def _storable(value: Any) -> Any:
    """Return a JSON value without the null characters and lone surrogates that PostgreSQL's text cannot hold."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_storable(each) for each in value]
    if isinstance(value, dict):
        return {_storable(name): _storable(each) for name, each in value.items()}
    return value


def _is_true(claims: Mapping[str, Any], name: str) -> bool:
    """Return whether a claim is true; some providers send text or a number."""
    return claims.get(name) in (True, "true", "True", 1, "1")
