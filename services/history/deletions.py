"""Deletions that wait for some seconds, in which the person may take them back; the database keeps them meanwhile."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

import structlog
from sqlalchemy import text

from services.auth.identity import Identity
from services.entities import Entity
from services.errors import LivewatchError
from services.infra.claims import Anonymous
from services.infra.database import Database
from services.infra.postgres.batches import BatchSize
from services.infra.postgres.refusals import refusable

logger = structlog.get_logger(__name__)

UNDO_SECONDS = 10.0
"""Seconds in which a person may take a deletion back."""
GRACE_SECONDS = 1.5
"""Time for the way of a click at the last moment."""
SWEEP_SECONDS = 15.0
"""Seconds until a process looks for deletions that another one has left behind."""
BATCH_ROWS = 500
"""Rows that one statement deletes: each is broadcast, and a deleted stream takes its agents along."""
BATCH_PAUSE_SECONDS = 0.1

_DEFER = text("select public.defer_deletion(:org, :kind, :runs, :delay)")
_CANCEL = text("select public.cancel_deletion(:deletion)")
_DELETE = text("select private.delete_pending(:rows)")


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingDeletion:
    """A deletion that waits, and the number of its rows."""

    id: UUID
    count: int


class Deletions:
    """Takes orders to delete runs, and carries out those that are due, of any process; close with `aclose`.

    An order outlives the window and the process that took it: whichever process is there next carries it out.
    """

    def __init__(
        self, database: Database, *, delay: float = UNDO_SECONDS + GRACE_SECONDS, sweep: float = SWEEP_SECONDS
    ) -> None:
        self._database = database
        self._delay = delay
        self._sweep = sweep
        self._is_due = asyncio.Event()
        self._is_due.set()
        self._task = asyncio.create_task(self._run(), name="deletions")

    async def defer(
        self, identity: Identity, entity: Entity[Any], org_id: UUID, ids: Collection[UUID]
    ) -> PendingDeletion:
        """Order the deletion of runs of an organisation.

        Raises:
            PermissionDenied: The user may not delete runs there.
            NotFound: None of them exists in the organisation.
        """
        values = {"org": org_id, "kind": entity.table, "runs": list(ids), "delay": self._delay}
        async with refusable(self._database, identity) as connection:
            ordered = (await connection.execute(_DEFER, values)).scalar_one()
        # A little later than due: timers may be early by the resolution of their clock.
        asyncio.get_running_loop().call_later(self._delay + 0.02, self._is_due.set)
        return PendingDeletion(id=UUID(ordered["id"]), count=ordered["count"])

    async def cancel(self, identity: Identity, deletion: UUID) -> bool:
        """Take a deletion of the user back; False if it has begun, or is another user's."""
        async with refusable(self._database, identity) as connection:
            return bool((await connection.execute(_CANCEL, {"deletion": deletion})).scalar_one())

    async def aclose(self) -> None:
        """Stop; idempotent. What waits is left in the database."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_due.wait(), self._sweep)
            self._is_due.clear()
            try:
                await delete_pending(self._database)
            except LivewatchError as error:
                logger.warning("a deletion that is due failed and will be tried again", cause=str(error))
            except Exception:
                # One deletion that cannot be carried out must not end those of everybody.
                logger.exception("a deletion that is due failed and will be tried again")


async def delete_pending(database: Database) -> int:
    """Delete what is due, batch by batch; returns the number of rows.

    Raises:
        DatabaseUnavailable: PostgreSQL did not respond; what is left is still due.
    """
    size, total = BatchSize(BATCH_ROWS), 0

    async def delete(rows: int) -> int | None:
        async with database.as_user(Anonymous()) as session:
            deleted: int | None = (await (await session.connection()).execute(_DELETE, {"rows": rows})).scalar_one()
            return deleted

    while (deleted := await size.run(delete)) is not None:
        total += deleted
        await asyncio.sleep(BATCH_PAUSE_SECONDS)
    if total:
        logger.info("deleted", rows=total)
    return total
