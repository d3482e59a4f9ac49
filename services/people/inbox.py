"""What a person does with alerts and notifications; row-level security lets recipients touch their own only."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import col, update

from services.auth.identity import Identity
from services.entities import AlertStatus, Notification, SignalAlert
from services.errors import NotFound
from services.infra.database import Database


class Inbox:
    """One table of rows that a person reads; marking sets `read_at`, and `also` on top of it.

    `waits` are further conditions, as SQL, of a row's `is_unread`.
    """

    def __init__(self, model: type[SignalAlert] | type[Notification], *waits: ColumnElement[bool], **also: Any) -> None:
        self._model = model
        self._waits = (col(model.read_at).is_(None), *waits)
        self._also = also

    def is_unread(self, row: Any) -> bool:
        """Whether a row of the table waits to be read."""
        return bool(row.is_unread)

    async def mark(self, database: Database, identity: Identity, id: UUID) -> None:
        """Mark one row as read; raises NotFound when there is none of that id for this person."""
        statement = update(self._model).where(col(self._model.id) == id)
        async with database.as_user(identity) as session:
            if not (await session.exec(statement.values(self._read()))).rowcount:
                raise NotFound(f"There is nothing of id {id} for you; it may have been deleted.")

    async def mark_all(self, database: Database, identity: Identity, org_id: UUID) -> int:
        """Mark every unread row of the person in an organisation as read; returns how many that were."""
        statement = update(self._model).where(
            *self._waits, col(self._model.user_id) == identity.user_id, col(self._model.org_id) == org_id
        )
        async with database.as_user(identity) as session:
            return int((await session.exec(statement.values(self._read()))).rowcount)

    def _read(self) -> dict[str, Any]:
        return {"read_at": datetime.now(UTC), **self._also}


ALERT_INBOX = Inbox(SignalAlert, col(SignalAlert.status) == AlertStatus.NEW, status=AlertStatus.ACKNOWLEDGED)
NOTIFICATION_INBOX = Inbox(Notification)
INBOXES: dict[str, Inbox] = {"signal_alerts": ALERT_INBOX, "notifications": NOTIFICATION_INBOX}
"""By table: what can be marked as read."""
