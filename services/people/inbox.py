"""Read marks of alerts and notifications; row-level security limits a user to their own."""

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
    """One table of messages that a user marks as read.

    Args:
        model: Table of the messages.
        unread_conditions: SQL conditions of an unread row, in addition to an empty `read_at`.
        read_values: Column values that marking sets, in addition to `read_at`.
    """

    def __init__(
        self,
        model: type[SignalAlert] | type[Notification],
        *unread_conditions: ColumnElement[bool],
        **read_values: Any,
    ) -> None:
        self._model = model
        self._unread_conditions = (col(model.read_at).is_(None), *unread_conditions)
        self._read_values = read_values

    def is_unread(self, row: Any) -> bool:
        """Return whether a row of the table is unread."""
        return bool(row.is_unread)

    async def mark(self, database: Database, identity: Identity, id: UUID) -> None:
        """Mark one row as read; raises NotFound if the user has no row with that id."""
        statement = update(self._model).where(col(self._model.id) == id)
        async with database.as_user(identity) as session:
            if not (await session.exec(statement.values(self._read()))).rowcount:
                raise NotFound(f"No message {id} was found in your inbox; it may have been deleted.")

    async def mark_all(self, database: Database, identity: Identity, org_id: UUID) -> int:
        """Mark every unread row of the user in an organisation as read; returns the number of rows."""
        statement = update(self._model).where(
            *self._unread_conditions, col(self._model.user_id) == identity.user_id, col(self._model.org_id) == org_id
        )
        async with database.as_user(identity) as session:
            return int((await session.exec(statement.values(self._read()))).rowcount)

    def _read(self) -> dict[str, Any]:
        return {"read_at": datetime.now(UTC), **self._read_values}


ALERT_INBOX = Inbox(SignalAlert, col(SignalAlert.status) == AlertStatus.NEW, status=AlertStatus.ACKNOWLEDGED)
NOTIFICATION_INBOX = Inbox(Notification)
INBOXES: dict[str, Inbox] = {"signal_alerts": ALERT_INBOX, "notifications": NOTIFICATION_INBOX}
"""Inboxes by table."""
