"""Invitations to an organisation: the app makes their tokens, and the database keeps only digests."""

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from secrets import token_urlsafe
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import text

from services.auth.identity import Identity
from services.errors import NotFound
from services.infra.claims import Anonymous, Claimant
from services.infra.database import Database
from services.people.models import Role

TOKEN_BYTES = 32
DEFAULT_LIFETIME = timedelta(days=7)
MAX_AT_ONCE = 50
INVITATION_BELOW = "/invitation/"
"""Path of the app below which each invitation has its page."""
ADDRESS = re.compile(r"[^\s@,;<>\"]{1,64}@[^\s@,;<>\"]{1,255}")

_INVITE = text("""
    insert into public.invitations (org_id, email, role, token_hash, expires_at)
    values (:org, :email, :role, :digest, :expires_at)
""")
_RENEW = text("""
    update public.invitations set token_hash = :digest, expires_at = :expires_at, revoked_at = null where id = :id
""")
_REVOKE = text("update public.invitations set revoked_at = clock_timestamp() where id = :id and revoked_at is null")
_OPEN = text("""
    select invitation.id, invitation.email, invitation.role, invitation.created_at, invitation.expires_at,
        profile.display_name as created_by
    from public.invitations as invitation
    left join public.profiles as profile on profile.user_id = invitation.created_by
    where invitation.org_id = :org and invitation.accepted_at is null and invitation.revoked_at is null
    order by invitation.created_at desc, invitation.id
""")
_READ = text("select * from public.read_invitation(:digest)")
_ACCEPT = text("select org, outcome from public.accept_invitation(:digest)")


class Outcome(StrEnum):
    """What became of a try to join."""

    JOINED = "joined"
    MEMBER = "member"
    FOREIGN = "foreign"
    ACCEPTED = "accepted"
    REVOKED = "revoked"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """An invitation that was neither accepted nor revoked; `email` is None where anybody with the link may join."""

    id: UUID
    email: str | None
    role: Role
    created_by: str | None
    created_at: datetime
    expires_at: datetime

    @property
    def is_expired(self) -> bool:
        """Whether it can no longer be accepted, unless it is renewed."""
        return self.expires_at <= datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invited:
    """A link that was just made: whom it is for, and its token, which cannot be read again later."""

    email: str | None
    token: SecretStr


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the holder of a token may know: `state` is `open`, `accepted`, `revoked` or `expired`."""

    org_id: UUID
    org_name: str
    role: Role
    email: str | None
    invited_by: str | None
    state: str
    is_member: bool


def addresses_in(text: str) -> tuple[list[str], list[str]]:
    """Split a text at commas, semicolons and white space into addresses and what is none.

    Addresses are in lower case, each once.
    """
    parts = dict.fromkeys(filter(None, re.split(r"[\s,;]+", text.lower())))
    return [part for part in parts if ADDRESS.fullmatch(part)], [part for part in parts if not ADDRESS.fullmatch(part)]


async def invite(
    database: Database,
    identity: Identity,
    org_id: UUID,
    *,
    role: Role,
    emails: Collection[str] = (),
    lifetime: timedelta = DEFAULT_LIFETIME,
) -> list[Invited]:
    """Make one invitation for each address, or one for anybody with the link if there are none.

    Raises:
        PermissionDenied: The user is not an admin.
    """
    made = [Invited(email=email, token=new_token()) for email in emails or (None,)]
    expires_at = datetime.now(UTC) + lifetime
    values = [
        {
            "org": org_id,
            "email": each.email,
            "role": role.value,
            "digest": digest_of(each.token),
            "expires_at": expires_at,
        }
        for each in made
    ]
    async with database.as_user(identity) as session:
        await (await session.connection()).execute(_INVITE, values)
    return made


async def renew(
    database: Database, identity: Identity, id: UUID, *, lifetime: timedelta = DEFAULT_LIFETIME
) -> SecretStr:
    """Return a new token for an invitation, which ends the old one; raises NotFound if it was accepted."""
    token = new_token()
    values = {"id": id, "digest": digest_of(token), "expires_at": datetime.now(UTC) + lifetime}
    async with database.as_user(identity) as session:
        if not (await (await session.connection()).execute(_RENEW, values)).rowcount:
            raise NotFound("The invitation was not renewed: it has been accepted, or you are not an admin any more.")
    return token


async def revoke(database: Database, identity: Identity, id: UUID) -> None:
    """Revoke an invitation; raises NotFound if it was accepted or revoked before, or is not there."""
    async with database.as_user(identity) as session:
        if not (await (await session.connection()).execute(_REVOKE, {"id": id})).rowcount:
            raise NotFound("The invitation was not revoked: it has been accepted or revoked already.")


async def open_invitations(database: Database, identity: Identity, org_id: UUID) -> list[Invitation]:
    """Read the invitations that were neither accepted nor revoked, latest first; empty if the user is not an admin."""
    async with database.as_user(identity) as session:
        rows = await (await session.connection()).execute(_OPEN, {"org": org_id})
        return [
            Invitation(
                id=row.id,
                email=row.email,
                role=Role(row.role),
                created_by=row.created_by,
                created_at=row.created_at,
                expires_at=row.expires_at,
            )
            for row in rows
        ]


async def read_offer(database: Database, token: str, identity: Claimant | None = None) -> Offer | None:
    """Read the invitation of a token, also for somebody without an account; None for an unknown token."""
    async with database.as_user(identity or Anonymous()) as session:
        row = (await (await session.connection()).execute(_READ, {"digest": digest_of(SecretStr(token))})).one_or_none()
    if row is None:
        return None
    return Offer(
        org_id=row.org_id,
        org_name=row.org_name,
        role=Role(row.role),
        email=row.email,
        invited_by=row.invited_by,
        state=row.state,
        is_member=row.is_member,
    )


async def accept(database: Database, identity: Identity, token: str) -> tuple[UUID | None, Outcome]:
    """Join the user to the organisation of a token; returns the organisation and what became of it."""
    async with database.as_user(identity) as session:
        row = (await (await session.connection()).execute(_ACCEPT, {"digest": digest_of(SecretStr(token))})).one()
    return row.org, Outcome(row.outcome)


def new_token() -> SecretStr:
    """Make the token of an invitation."""
    return SecretStr(token_urlsafe(TOKEN_BYTES))


def link_of(token: SecretStr, address: str) -> str:
    """Return the link of an invitation, at the app's address."""
    return f"{address.rstrip('/')}{INVITATION_BELOW}{token.get_secret_value()}"


def digest_of(token: SecretStr) -> bytes:
    """Return what the database keeps of a token."""
    return hashlib.sha256(token.get_secret_value().encode()).digest()
