"""What a person does with alerts and notifications; row-level security lets recipients touch their own only."""

from datetime import UTC, datetime
from uuid import UUID

from sqlmodel import col, update

from services.database import Database
from services.errors import NotFound
from services.identity import Identity
from services.models import AlertStatus, Notification, SignalAlert


async def mark_alert_read(database: Database, identity: Identity, id: UUID) -> None:
    """Acknowledge one alert; raises NotFound when there is none of that id for this person."""
    statement = (
        update(SignalAlert)
        .where(col(SignalAlert.id) == id)
        .values(read_at=datetime.now(UTC), status=AlertStatus.ACKNOWLEDGED)
    )
    async with database.as_user(identity) as session:
        if not (await session.exec(statement)).rowcount:
            raise NotFound(f"There is no alert {id} for you.")


async def mark_all_alerts_read(database: Database, identity: Identity) -> int:
    """Acknowledge every new alert of the person; returns how many that were."""
    statement = (
        update(SignalAlert)
        .where(col(SignalAlert.read_at).is_(None), col(SignalAlert.user_id) == identity.user_id)
        .values(read_at=datetime.now(UTC), status=AlertStatus.ACKNOWLEDGED)
    )
    async with database.as_user(identity) as session:
        return int((await session.exec(statement)).rowcount)


async def mark_notification_read(database: Database, identity: Identity, id: UUID) -> None:
    """Mark one notification as read; raises NotFound when there is none of that id for this person."""
    statement = update(Notification).where(col(Notification.id) == id).values(read_at=datetime.now(UTC))
    async with database.as_user(identity) as session:
        if not (await session.exec(statement)).rowcount:
            raise NotFound(f"There is no notification {id} for you.")


async def mark_all_notifications_read(database: Database, identity: Identity) -> int:
    """Mark every unread notification of the person as read; returns how many that were."""
    statement = (
        update(Notification)
        .where(col(Notification.read_at).is_(None), col(Notification.user_id) == identity.user_id)
        .values(read_at=datetime.now(UTC))
    )
    async with database.as_user(identity) as session:
        return int((await session.exec(statement)).rowcount)
