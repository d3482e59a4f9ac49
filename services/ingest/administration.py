"""Management of an organisation's ingest keys; row-level security restricts it to admins."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import text

from services.auth.identity import Identity
from services.errors import Conflict, NotFound
from services.infra.database import Database
from services.ingest.keys import new_key
from services.ingest.operations import REPORTING, KeyScope

_KEYS = text("""
    select key.id, key.name, key.public_id, key.scopes, key.created_at, key.last_used_at,
        host(key.last_used_address) as last_used_address, key.expires_at, key.revoked_at, key.replaces,
        profile.display_name as created_by
    from public.ingest_keys as key left join public.profiles as profile on profile.user_id = key.created_by
    where key.org_id = :org order by key.created_at desc, key.id
""")
_CREATE = text("""
    insert into public.ingest_keys (org_id, name, public_id, secret_hash, scopes, expires_at)
    values (:org, :name, :public_id, :secret_hash, :scopes, now() + cast(:lifetime as interval))
    on conflict (public_id) do nothing returning id
""")
_REPLACE = text("""
    select public.replace_key(:id, :public_id, :secret_hash, cast(:keep as interval), cast(:lifetime as interval))
""")
_REVOKE = text("update public.ingest_keys set revoked_at = clock_timestamp() where id = :id and revoked_at is null")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEntry:
    """One key of the list; `created_by` is a display name, None if its creator is no longer a member."""

    id: UUID
    name: str
    public_id: str
    scopes: tuple[KeyScope, ...]
    created_by: str | None
    created_at: datetime
    last_used_at: datetime | None
    last_used_address: str | None
    expires_at: datetime | None
    revoked_at: datetime | None
    replaces: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedKey:
    """A key that was just created; `token` is the secret that clients send, and cannot be read again later."""

    id: UUID
    token: SecretStr


async def list_keys(database: Database, identity: Identity, org_id: UUID) -> list[KeyEntry]:
    """Read all keys of the organisation, including revoked ones, latest first; empty if the user is not an admin."""
    async with database.as_user(identity) as session:
        rows = await (await session.connection()).execute(_KEYS, {"org": org_id})
        return [KeyEntry(**{**row._mapping, "scopes": tuple(map(KeyScope, row.scopes))}) for row in rows]


async def create_key(
    database: Database,
    identity: Identity,
    org_id: UUID,
    *,
    name: str,
    scopes: Collection[KeyScope] = REPORTING,
    lifetime: timedelta | None = None,
) -> CreatedKey:
    """Create a key with the given scopes; raises PermissionDenied if the user is not an admin.

    Args:
        database: Database of the keys.
        identity: The user.
        org_id: The organisation.
        name: Name of the key.
        scopes: What the key may do.
        lifetime: Time until the key expires; None for never.
    """
    key = new_key()
    id = await admit_key(
        database,
        identity,
        org_id,
        name=name,
        public_id=key.public_id,
        secret_hash=key.secret_hash,
        scopes=scopes,
        lifetime=lifetime,
    )
    return CreatedKey(id=id, token=key.token)


async def replace_key(
    database: Database, identity: Identity, id: UUID, *, keep: timedelta, lifetime: timedelta | None = None
) -> CreatedKey:
    """Replace a key by a new one with its name and its scopes.

    Args:
        database: Database of the keys.
        identity: The user.
        id: The earlier key.
        keep: Time for which the earlier key still works.
        lifetime: Time until the new key expires; None for never.

    Raises:
        NotFound: The earlier key no longer works, or the user is not an admin.
    """
    key = new_key()
    values = {
        "id": id,
        "public_id": key.public_id,
        "secret_hash": key.secret_hash,
        "keep": keep,
        "lifetime": lifetime,
    }
    async with database.as_user(identity) as session:
        made: UUID | None = (await (await session.connection()).execute(_REPLACE, values)).scalar_one()
    if made is None:
        raise NotFound("This key no longer works, so there is nothing to replace. Create a new one.")
    return CreatedKey(id=made, token=key.token)


async def admit_key(
    database: Database,
    identity: Identity,
    org_id: UUID,
    *,
    name: str,
    public_id: str,
    secret_hash: bytes,
    scopes: Collection[KeyScope] = REPORTING,
    lifetime: timedelta | None = None,
) -> UUID:
    """Admit a key that a client made and of which it disclosed the hash only; returns the id of the key.

    Raises:
        PermissionDenied: The user is not an admin.
        Conflict: There is a key with this public id already.
    """
    values = {
        "org": org_id,
        "name": name,
        "public_id": public_id,
        "secret_hash": secret_hash,
        "scopes": [scope.value for scope in scopes],
        "lifetime": lifetime,
    }
    async with database.as_user(identity) as session:
        created = (await (await session.connection()).execute(_CREATE, values)).scalar_one_or_none()
    if created is None:
        raise Conflict("This terminal was connected before. Run livewatch login again for a new key.")
    id: UUID = created
    return id


async def revoke_key(database: Database, identity: Identity, id: UUID) -> None:
    """Revoke a key permanently; raises NotFound if the user may not revoke it, or if it is already revoked."""
    async with database.as_user(identity) as session:
        revoked = await (await session.connection()).execute(_REVOKE, {"id": id})
        if not revoked.rowcount:
            raise NotFound(f"No active key {id} was found; it may have been revoked already.")
