"""Channels of an organisation, read and written as a person; their addresses are never shown again."""

import base64
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from pydantic import SecretStr
from sqlalchemy import text

from services.auth.identity import Identity
from services.delivery.channel_kind import ChannelKind, hint_of
from services.delivery.couriers.providers import check_address
from services.delivery.couriers.webhook import SECRET_PREFIX
from services.delivery.deliverer import Couriers
from services.delivery.message import Answer, Message
from services.delivery.sealing import Sealer
from services.errors import NotFound, PermissionDenied
from services.infra.database import Database
from services.infra.postgres.refusals import refusable

SECRET_BYTES = 24
RECENT_DELIVERIES = 20
_PUT = text("""
    select public.put_channel(:org, :channel, :name, :kind, :hint, :sealed, :max_per_hour, :enabled)
""")
_REMOVE = text("select public.remove_channel(:org, :channel)")
_SEALED = text("select private.sealed_address(:org, :channel)")
_IS_ADMIN = text("select :org in (select private.my_administered_orgs())")
_READ = text("""
    select one.*, (
        select count(*) from public.deliveries as each where each.channel_id = one.id and each.next_at is not null
    ) as waiting
    from public.channels as one where one.org_id = :org order by lower(one.name), one.id
""")
_DELIVERIES = text("""
    select content ->> 'title' as title, created_at, next_at, attempts, delivered_at, gave_up_at, answer, may_be_double
    from public.deliveries where org_id = :org and channel_id = :channel order by created_at desc limit :limit
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """Where messages of an organisation go; `hint` is what one recognises its address by.

    `waiting` counts the deliveries that are not over, for those who may write; it is 0 for others.
    """

    id: UUID
    name: str
    kind: ChannelKind
    hint: str
    is_enabled: bool
    max_per_hour: int
    last_answer: str | None
    last_delivered_at: datetime | None
    last_failed_at: datetime | None
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PastDelivery:
    """A message to a channel, and what became of it; it waits while `next_at` is set."""

    title: str
    created_at: datetime
    next_at: datetime | None
    attempts: int
    delivered_at: datetime | None
    gave_up_at: datetime | None
    answer: str | None
    may_be_double: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelDraft:
    """What a person wrote of a channel; an empty `address` leaves the one it has."""

    name: str
    kind: ChannelKind
    address: SecretStr = field(default_factory=lambda: SecretStr(""))
    max_per_hour: int = 60
    is_enabled: bool = True


async def channels(database: Database, identity: Identity, org_id: UUID) -> list[Channel]:
    """Read the channels of an organisation by name; raises DatabaseUnavailable."""
    names = Channel.__dataclass_fields__
    async with database.as_user(identity) as session:
        rows = (await (await session.connection()).execute(_READ, {"org": org_id})).mappings().all()
    return [Channel(**{name: row[name] for name in names} | {"kind": ChannelKind(row["kind"])}) for row in rows]


async def deliveries(
    database: Database, identity: Identity, org_id: UUID, channel_id: UUID, *, limit: int = RECENT_DELIVERIES
) -> list[PastDelivery]:
    """Read the latest deliveries of a channel, latest first; none for those who may not write."""
    values = {"org": org_id, "channel": channel_id, "limit": limit}
    async with database.as_user(identity) as session:
        rows = (await (await session.connection()).execute(_DELIVERIES, values)).mappings().all()
    return [PastDelivery(**row) for row in rows]


async def put_channel(
    database: Database, identity: Identity, org_id: UUID, draft: ChannelDraft, sealer: Sealer, *, id: UUID | None = None
) -> tuple[UUID, str]:
    """Create a channel, or change the one with `id`.

    Returns:
        Its id, and the secret that signs its messages, of a webhook whose address is new; else an empty text.

    Raises:
        AddressRefused: The address is none of this kind.
        PermissionDenied: The user is no admin.
        Conflict: Another channel has this name.
        NotFound: The channel was removed.
    """
    address, secret = draft.address.get_secret_value().strip(), ""
    hint: str | None = None
    if address or id is None:
        hint = hint_of(draft.kind, address)
        if draft.kind is ChannelKind.WEBHOOK:
            secret = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
            address = f"{secret} {address}"
        elif draft.kind is not ChannelKind.EMAIL:
            check_address(draft.kind, address)
    values = {
        "org": org_id,
        "channel": id,
        "name": draft.name,
        "kind": draft.kind.value,
        "hint": hint,
        "sealed": sealer.seal(SecretStr(address)) if address else None,
        "max_per_hour": draft.max_per_hour,
        "enabled": draft.is_enabled,
    }
    async with refusable(database, identity) as connection:
        written = (await connection.execute(_PUT, values)).scalar_one()
    return UUID(str(written)), secret


async def remove_channel(database: Database, identity: Identity, org_id: UUID, id: UUID) -> None:
    """Remove a channel with what waits for it; raises PermissionDenied, or NotFound if it is gone."""
    async with refusable(database, identity) as connection:
        if not (await connection.execute(_REMOVE, {"org": org_id, "channel": id})).scalar_one():
            raise NotFound("The channel was removed by somebody else.")


async def try_channel(database: Database, identity: Identity, org_id: UUID, id: UUID, couriers: Couriers) -> Answer:
    """Send a test message to a channel at once; returns what the other side said.

    Raises:
        PermissionDenied: The user is no admin.
        NotFound: The channel was removed.
    """
    found = next((each for each in await channels(database, identity, org_id) if each.id == id), None)
    if found is None:
        raise NotFound("There is no such channel: it was removed.")
    async with database.as_user(identity) as session:
        if not (await (await session.connection()).execute(_IS_ADMIN, {"org": org_id})).scalar_one():
            raise PermissionDenied("The channel was not tested: only admins may send tests.")
    async with database.as_app() as session:
        values = {"org": org_id, "channel": id}
        sealed = (await (await session.connection()).execute(_SEALED, values)).scalar_one()
    message = Message(title="A test from Livewatch", text=f"The channel “{found.name}” works.", type="success")
    return await couriers.send(found.kind, sealed, str(uuid4()), message)
