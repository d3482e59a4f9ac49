"""Closing, archiving and deleting runs, in batches; row-level security limits it to operators and admins."""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Delete, Update
from sqlmodel import col, delete, update

from services.auth.identity import Identity
from services.entities import AGENTS, SCANS, STREAMS, AgentStatus, Entity, GoalStatus, Reported, ScanStatus
from services.errors import PermissionDenied
from services.infra.database import Database
from services.infra.postgres.batches import in_batches

BATCH_ROWS = 500
"""Rows that one statement changes: each change is broadcast, and a deleted stream takes its agents along."""
CLOSED_VALUES: dict[str, dict[str, Any]] = {
    STREAMS.table: {"goal_status": GoalStatus.CANCELLED},
    SCANS.table: {"status": ScanStatus.CANCELLED},
    AGENTS.table: {"status": AgentStatus.CANCELLED},
}
"""Values of a run that a person closes, by table."""

OnBatch = Callable[[list[UUID]], object]


async def close_runs(
    database: Database,
    identity: Identity,
    entity: Entity[Any],
    ids: Collection[UUID],
    *,
    on_batch: OnBatch = lambda _: None,
) -> int:
    """End unfinished runs as cancelled; returns how many there were.

    `on_batch` is called with the ids of the changed rows of each batch, which an error later on does not undo.

    Raises:
        PermissionDenied: The user may not write any of the runs.
    """
    statement = update(entity.model).where(~col(entity.model.is_finished)).values(CLOSED_VALUES[entity.table])
    return await _in_batches(database, identity, entity, ids, statement, on_batch=on_batch)


async def archive_runs(
    database: Database,
    identity: Identity,
    entity: Entity[Any],
    ids: Collection[UUID],
    *,
    is_archived: bool = True,
    on_batch: OnBatch = lambda _: None,
) -> int:
    """Move runs out of the lists, or back with `is_archived=False`; raises like `close_runs`.

    Runs that are there already are not counted, so that an undo leaves them there.
    """
    archived_at = col(entity.model.archived_at)
    statement = update(entity.model).values(archived_at=datetime.now(UTC) if is_archived else None)
    statement = statement.where(archived_at.is_(None) if is_archived else archived_at.is_not(None))
    return await _in_batches(database, identity, entity, ids, statement, on_batch=on_batch)


async def delete_runs(
    database: Database,
    identity: Identity,
    entity: Entity[Any],
    ids: Collection[UUID],
    *,
    on_batch: OnBatch = lambda _: None,
) -> int:
    """Delete runs with all that belongs to them; raises like `close_runs`."""
    return await _in_batches(database, identity, entity, ids, delete(entity.model), on_batch=on_batch)


def is_run(entity: Entity[Any]) -> bool:
    """Whether the rows of an entity are runs, which can be tidied up."""
    return issubclass(entity.model, Reported) and entity.table in CLOSED_VALUES


async def _in_batches(
    database: Database,
    identity: Identity,
    entity: Entity[Any],
    ids: Collection[UUID],
    statement: Update | Delete,
    *,
    on_batch: OnBatch,
) -> int:
    id = col(entity.model.id)

    async def write(batch: Sequence[UUID]) -> list[UUID]:
        async with database.as_user(identity) as session:
            return list((await session.exec(statement.where(id.in_(batch)).returning(id))).scalars().all())

    count = 0
    async for changed in in_batches(list(ids), BATCH_ROWS, write):
        count += len(changed)
        on_batch(changed)
    if ids and not count:
        raise PermissionDenied(
            f"No {entity.noun} was changed: it is over, archived or deleted already, or your role does not allow it."
        )
    return count
