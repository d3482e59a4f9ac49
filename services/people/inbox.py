"""Read marks of alerts and notifications; row-level security limits a user to their own."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func
from sqlmodel import col, select, update

from services.auth.identity import Identity
from services.entities import AlertStatus, Notification, SignalAlert
from services.errors import NotFound
from services.infra.database import Database
from services.infra.postgres.batches import BatchSize, in_batches

BATCH_ROWS = 500
"""Rows that one statement marks. Each mark is broadcast, so a statement over all of a large inbox takes too long."""
Chosen = Mapping[str, Collection[str]]
EVERYTHING: Chosen = MappingProxyType({})


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

    async def count_unread(
        self,
        database: Database,
        identity: Identity,
        org_id: UUID,
        *,
        ids: Collection[UUID] | None = None,
        chosen: Chosen = EVERYTHING,
    ) -> int:
        """Count what `mark_all` with the same arguments would mark."""
        if ids is not None:
            return len(ids)
        statement = select(func.count()).select_from(self._model).where(*self._unread(identity, org_id, chosen))
        async with database.as_user(identity) as session:
            return (await session.exec(statement)).one()

    async def unread_by_organization(self, database: Database, identity: Identity) -> dict[UUID, int]:
        """Count the user's unread rows by organisation; organisations without any are left out."""
        org_id = col(self._model.org_id)
        statement = (
            select(org_id, func.count())
            .where(*self._unread_conditions, col(self._model.user_id) == identity.user_id)
            .group_by(org_id)
        )
        async with database.as_user(identity) as session:
            return dict((await session.exec(statement)).all())

    async def mark_all(
        self,
        database: Database,
        identity: Identity,
        org_id: UUID,
        *,
        ids: Collection[UUID] | None = None,
        chosen: Chosen = EVERYTHING,
        on_batch: Callable[[list[UUID]], object] = lambda _: None,
    ) -> list[UUID]:
        """Mark unread rows of the user in an organisation as read, in batches that each end well within a time limit.

        Args:
            database: Database of the messages.
            identity: The user.
            org_id: Organisation of the messages.
            ids: Rows to mark; all by default.
            chosen: Values by column that the rows must have; any by default.
            on_batch: Called with the ids of each batch once it is marked, which an error later on does not undo.

        Returns:
            The ids of the rows that were unread.
        """
        conditions = self._unread(identity, org_id, chosen)
        marked: list[UUID] = []

        async def mark(unread: Any) -> list[UUID]:
            statement = update(self._model).where(col(self._model.id).in_(unread)).values(self._read())
            async with database.as_user(identity) as session:
                return list((await session.exec(statement.returning(col(self._model.id)))).scalars().all())

        async def mark_some(rows: int) -> tuple[int, list[UUID]]:
            return rows, await mark(select(self._model.id).where(*conditions).limit(rows))

        async def mark_these(batch: Sequence[UUID]) -> list[UUID]:
            return await mark(select(self._model.id).where(*conditions, col(self._model.id).in_(batch)))

        if ids is not None:
            async for found in in_batches(list(ids), BATCH_ROWS, mark_these):
                marked += found
                on_batch(found)
            return marked
        size = BatchSize(BATCH_ROWS)
        is_rest = False
        while not is_rest:
            rows, found = await size.run(mark_some)
            marked += found
            on_batch(found)
            is_rest = len(found) < rows
        return marked

    async def mark_unread(
        self,
        database: Database,
        identity: Identity,
        ids: Collection[UUID],
        *,
        on_batch: Callable[[int], object] = lambda _: None,
    ) -> int:
        """Mark rows of the user as unread; returns the number of rows that exist.

        `on_batch` is called with the number of rows of each batch.
        """

        async def mark(batch: Sequence[UUID]) -> int:
            statement = update(self._model).where(col(self._model.id).in_(batch))
            async with database.as_user(identity) as session:
                return (await session.exec(statement.values(read_at=None, **self._unread_values))).rowcount

        count = 0
        async for marked in in_batches(list(ids), BATCH_ROWS, mark):
            count += marked
            on_batch(marked)
        return count

    def _unread(self, identity: Identity, org_id: UUID, chosen: Chosen) -> list[ColumnElement[bool]]:
        """Conditions of the unread rows of a user in an organisation, with one of the chosen values per column."""
        own = [col(self._model.user_id) == identity.user_id, col(self._model.org_id) == org_id]
        chosen_values = [col(getattr(self._model, name)).in_(values) for name, values in chosen.items()]
        return [*self._unread_conditions, *own, *chosen_values]

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
