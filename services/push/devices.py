"""The devices of a person: added and removed by the person, and tested."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from services.auth.identity import Identity
from services.errors import NotFound
from services.infra.database import Database
from services.infra.postgres.refusals import refusable
from services.people.session_uses import device_name
from services.push.encryption import DeviceKeys
from services.push.endpoints import checked_endpoint
from services.push.message import PushMessage
from services.push.sender import Address, Answer, Outcome, PushSender
from services.text import visible_name

MAX_NAME_CHARACTERS = 120
_ADD = text("select public.add_push_device(:endpoint, :p256dh, :auth, :name)")
_REMOVE = text("select public.remove_push_device(:endpoint)")
_DEVICES = text("""
    select id, name, answer, answered_at, created_at, session_id = private.my_session() as is_of_session
    from public.push_devices where user_id = (select auth.uid()) order by created_at desc, id
""")
_DELETE = text("delete from public.push_devices where id = :id returning id")
_OWN = text("select endpoint, p256dh, auth from private.own_push_device(:id)")
_BADGE = text("select public.push_badge()")
_GROUPS = text("""
    select distinct org_id || ' ' || private.alert_tag(stream_id) from public.signal_alerts
    where user_id = (select auth.uid()) and read_at is null and status = 'new'
    union
    select distinct org_id || ' ' || private.notification_tag(action_url) from public.notifications
    where user_id = (select auth.uid()) and read_at is null
    limit 1000
""")
_MARK = text("select public.mark_push_group(:org, :tag)")


@dataclass(frozen=True, slots=True, kw_only=True)
class PushDevice:
    """One device; `answer` is what its push service said last, at `answered_at`."""

    id: UUID
    name: str
    answer: str | None
    answered_at: datetime | None
    created_at: datetime
    is_of_session: bool


async def add_device(
    database: Database, identity: Identity, *, endpoint: str, p256dh: str, auth: str, agent: str
) -> UUID:
    """Add the browser of the identity's session, or renew it; returns its id.

    Args:
        database: Where the device is kept.
        identity: The person; the device ends with the session.
        endpoint: URL that the browser was given.
        p256dh: Public key of the browser, base64url.
        auth: Secret of the browser, base64url.
        agent: The header `User-Agent`, from which the device is named.

    Raises:
        NotAccepted: No browser sends such an endpoint or keys.
        Conflict: The person has as many devices as there may be.
        PermissionDenied: The session has ended.
    """
    checked_endpoint(endpoint)
    DeviceKeys.parse(p256dh, auth)
    name = visible_name(device_name(agent))[:MAX_NAME_CHARACTERS]
    values = {"endpoint": endpoint, "p256dh": p256dh.rstrip("="), "auth": auth.rstrip("="), "name": name}
    async with refusable(database, identity) as connection:
        added: UUID = (await connection.execute(_ADD, values)).scalar_one()
        return added


async def remove_endpoint(database: Database, identity: Identity, endpoint: str) -> bool:
    """Remove the person's own device with this endpoint; returns whether there was one."""
    async with database.as_user(identity) as session:
        return bool((await (await session.connection()).execute(_REMOVE, {"endpoint": endpoint})).scalar_one())


async def own_devices(database: Database, identity: Identity) -> list[PushDevice]:
    """Read the person's devices, the latest first."""
    async with database.as_user(identity) as session:
        rows = await (await session.connection()).execute(_DEVICES)
        return [PushDevice(**row._mapping) for row in rows]


async def remove_device(database: Database, identity: Identity, id: UUID) -> None:
    """Remove one of the person's devices; raises NotFound if there is none."""
    async with database.as_user(identity) as session:
        if (await (await session.connection()).execute(_DELETE, {"id": id})).first() is None:
            raise NotFound("This device has been removed already.")


async def try_device(database: Database, identity: Identity, sender: PushSender, id: UUID) -> Answer:
    """Send a test to one of the person's devices; returns what its push service answered.

    A device that is gone is removed. Raises NotFound if there is none.
    """
    async with database.as_user(identity) as session:
        row = (await (await session.connection()).execute(_OWN, {"id": id})).first()
        badge = (await (await session.connection()).execute(_BADGE)).scalar_one()
    if row is None:
        raise NotFound("This device has been removed already.")
    message = PushMessage(
        tag="test",
        org="",
        title="Livewatch can reach this device",
        body="This is the test that you asked for.",
        url="/settings",
        badge=badge,
        rank=2,
    )
    address = Address(endpoint=row.endpoint, keys=DeviceKeys.parse(row.p256dh, row.auth))
    answer = await sender.deliver(address, message)
    if answer.outcome is Outcome.GONE:
        await remove_endpoint(database, identity, row.endpoint)
    return answer


async def read_badge(database: Database, identity: Identity) -> int:
    """Count the person's unread alerts and notifications in all organisations."""
    async with database.as_user(identity) as session:
        return int((await (await session.connection()).execute(_BADGE)).scalar_one())


async def unread_groups(database: Database, identity: Identity) -> list[str]:
    """Return the groups of which something is unread, named as devices name their notifications."""
    async with database.as_user(identity) as session:
        return list((await (await session.connection()).execute(_GROUPS)).scalars().all())


async def mark_group(database: Database, identity: Identity, *, org_id: UUID, tag: str) -> int:
    """Mark what a device shows as one as read, alerts as acknowledged; returns the number of messages."""
    async with database.as_user(identity) as session:
        return int((await (await session.connection()).execute(_MARK, {"org": org_id, "tag": tag})).scalar_one())
