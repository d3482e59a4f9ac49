"""Read marks of alerts and notifications; row-level security limits a user to their own."""

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import col, select, update

from services.auth.identity import Identity
from services.entities import AlertStatus, Notification, SignalAlert
from services.errors import NotFound
from services.infra.database import Database

BATCH_ROWS = 2000
"""Rows that one statement marks. Each mark is broadcast, so a statement over all of a large inbox takes too long."""


class Inbox:
    """One table of messages that a user marks as read.

    Args:
        model: Table of the messages.
        unread_conditions: SQL conditions of an unread row, in addition to an empty `read_at`.
        read_values: Column values that marking as read sets, in addition to `read_at`.
        unread_values: The same for marking as unread.
    """

    def __init__(
        self,
        model: type[SignalAlert] | type[Notification],
        *unread_conditions: ColumnElement[bool],
        read_values: Mapping[str, Any] = MappingProxyType({}),
        unread_values: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self._model = model
        self._unread_conditions = (col(model.read_at).is_(None), *unread_conditions)
        self._read_values = read_values
        self._unread_values = unread_values

    def is_unread(self, row: Any) -> bool:
        """Return whether a row of the table is unread."""
        return bool(row.is_unread)

    async def mark(self, database: Database, identity: Identity, id: UUID) -> None:
        """Mark one row as read; raises NotFound if the user has no row with that id."""
        statement = update(self._model).where(col(self._model.id) == id)
        async with database.as_user(identity) as session:
            if not (await session.exec(statement.values(self._read()))).rowcount:
                raise NotFound(f"No message {id} was found in your inbox; it may have been deleted.")

    async def mark_all(
        self, database: Database, identity: Identity, org_id: UUID, *, ids: Collection[UUID] | None = None
    ) -> list[UUID]:
        """Mark unread rows of the user in an organisation as read, in batches that each end well within a time limit.

        Args:
            database: Database of the messages.
            identity: The user.
            org_id: Organisation of the messages.
            ids: Rows to mark; all by default.

        Returns:
            The ids of the rows that were unread.
        """
        own = (col(self._model.user_id) == identity.user_id, col(self._model.org_id) == org_id)
        chunks = [None] if ids is None else [list(chunk) for chunk in batched(ids, BATCH_ROWS)]
        marked: list[UUID] = []
        for chunk in chunks:
            unread = select(self._model.id).where(*self._unread_conditions, *own).limit(BATCH_ROWS)
            if chunk is not None:
                unread = unread.where(col(self._model.id).in_(chunk))
            statement = update(self._model).where(col(self._model.id).in_(unread)).values(self._read())
            while True:
                async with database.as_user(identity) as session:
                    found = (await session.exec(statement.returning(col(self._model.id)))).scalars().all()
                marked += found
                if len(found) < BATCH_ROWS:
                    break
        return marked

    async def mark_unread(self, database: Database, identity: Identity, ids: Collection[UUID]) -> int:
        """Mark rows of the user as unread; returns the number of rows that exist."""
        count = 0
        for chunk in batched(ids, BATCH_ROWS):
            statement = update(self._model).where(col(self._model.id).in_(chunk))
            async with database.as_user(identity) as session:
                count += (await session.exec(statement.values(read_at=None, **self._unread_values))).rowcount
        return count

    def _read(self) -> dict[str, Any]:
        return {"read_at": datetime.now(UTC), **self._read_values}


ALERT_INBOX = Inbox(
    SignalAlert,
    col(SignalAlert.status) == AlertStatus.NEW,
    read_values={"status": AlertStatus.ACKNOWLEDGED},
    unread_values={"status": AlertStatus.NEW},
)
NOTIFICATION_INBOX = Inbox(Notification)
INBOXES: dict[str, Inbox] = {"signal_alerts": ALERT_INBOX, "notifications": NOTIFICATION_INBOX}
"""Inboxes by table."""


def batched(ids: Collection[UUID], size: int) -> Iterator[list[UUID]]:
    """Split ids into lists of at most `size`."""
    remaining = iter(ids)
    while chunk := list(islice(remaining, size)):
        yield chunk
