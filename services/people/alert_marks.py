"""Alerts that their recipient acknowledges or dismisses, many at once, which is taken back to exactly what each was."""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from services.auth.identity import Identity
from services.entities import AlertStatus
from services.infra.database import Database
from services.infra.postgres.batches import in_batches

BATCH_ROWS = 500
"""Alerts that one statement marks; each mark is broadcast."""

# Row-level security leaves the alerts of others alone.
_MARK = text("""
    with mine as (
        select id, status, read_at from public.signal_alerts
        where id = any (:ids) and (status <> :status or read_at is null) order by id for update
    )
    update public.signal_alerts as one set status = :status, read_at = coalesce(one.read_at, now())
    from mine where one.id = mine.id returning one.id, mine.status, mine.read_at
""")
_RESTORE = text("""
    update public.signal_alerts as one set status = each.status, read_at = each.read_at
    from jsonb_to_recordset(cast(:marks as jsonb)) as each (id uuid, status text, read_at timestamptz)
    where one.id = each.id and one.status = :since
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertMark:
    """What an alert was before it was marked."""

    id: UUID
    status: AlertStatus
    read_at: datetime | None


async def set_alert_status(
    database: Database,
    identity: Identity,
    ids: Collection[UUID],
    status: AlertStatus,
    *,
    on_batch: Callable[[list[AlertMark]], object] = lambda _: None,
) -> list[AlertMark]:
    """Give the user's alerts a status, and mark them as read; returns what those that changed were before.

    `on_batch` is called with the marks of each batch, which an error later on does not undo.
    """

    async def mark(batch: Sequence[UUID]) -> list[AlertMark]:
        async with database.as_user(identity) as session:
            rows = await (await session.connection()).execute(_MARK, {"ids": list(batch), "status": status.value})
            return [
                AlertMark(id=row.id, status=AlertStatus(row.status), read_at=row.read_at)  # type: ignore[call-arg]
                for row in rows
            ]

    changed: list[AlertMark] = []
    async for marks in in_batches(list(ids), BATCH_ROWS, mark):
        changed += marks
        on_batch(marks)
    return changed


async def restore_alerts(
    database: Database,
    identity: Identity,
    marks: Sequence[AlertMark],
    *,
    since: AlertStatus,
    on_batch: Callable[[int], object] = lambda _: None,
) -> int:
    """Make alerts what they were, unless they do not have the status `since` any more; returns how many there were."""

    async def restore(batch: Sequence[AlertMark]) -> int:
        rows = [
            {"id": str(each.id), "status": each.status.value, "read_at": each.read_at and each.read_at.isoformat()}
            for each in batch
        ]
        async with database.as_user(identity) as session:
            values = {"marks": json.dumps(rows), "since": since.value}
            return (await (await session.connection()).execute(_RESTORE, values)).rowcount

    count = 0
    async for restored in in_batches(marks, BATCH_ROWS, restore):
        count += restored
        on_batch(restored)
    return count
