"""Reads the tables of a feed: snapshots, the rows that events leave out, and the comparison with the database."""

from collections.abc import Callable, Collection
from typing import Any
from uuid import UUID

import structlog

from services.auth.identity import Identity
from services.realtime.feed import Feed
from services.realtime.source import Source
from services.realtime.table import Table
from services.realtime.transports.change import row_change

logger = structlog.get_logger(__name__)

LARGE_ROWS = 20
"""Rows of a read of those that were too large for an event."""


class Loader:
    """Fills the tables of one feed from the database.

    Args:
        feed: The feed.
        source: Where they are read.
        identity: Returns who reads; raises SessionExpired without a subscriber.
    """

    def __init__(self, feed: Feed, source: Source, identity: Callable[[], Identity]) -> None:
        self._feed = feed
        self._source = source
        self._identity = identity

    async def load(self) -> None:
        """Read the tables that need a snapshot, and the rows that were left out of their events."""
        for table in self._feed.unloaded():
            await self._read(table)
        for table in self._feed.incomplete():
            await self._read_left_out(table)

    async def reconcile(self) -> None:
        """Compare ids and versions with the database, and read a table that differs."""
        for table in self._feed.loaded():
            versions = await self._source.versions(self._identity(), table.entity, self._feed.topic)
            for record in await self._further(table, versions):
                versions[UUID(record["id"])] = int(record["version"])
            if versions != table.rows.versions():
                table.adopts_older = True
                repaired = await self._read(table)
                self._feed.meter.repaired_rows += repaired
                logger.info("feed reconciled", topic=str(self._feed.topic), table=table.entity.table, rows=repaired)

    async def _read(self, table: Table[Any]) -> int:
        """Replace a table's rows by a snapshot; returns how many were wrong.

        What a table buffers already stays: the server may send a change before other sessions of the database see it.
        """
        while True:
            buffer = table.buffer_changes() if table.buffered is None else table.buffered
            records = await self._source.snapshot(self._identity(), table.entity, self._feed.topic)
            further = await self._further(table, [UUID(record["id"]) for record in records])
            # Another buffer: changes were lost meanwhile, and the snapshot may be older than they.
            if table.buffered is buffer:
                repaired = self._feed.take_snapshot(table, records, further)
                for id in table.wanted:
                    table.want(id)
                return repaired

    async def _further(self, table: Table[Any], held: Collection[UUID]) -> list[dict[str, Any]]:
        """Read the rows that subscriptions want beyond those that are held, if these are not all."""
        ids = table.wanted.difference(held) if len(held) >= table.entity.limit else set()
        return await self._source.rows(self._identity(), table.entity, self._feed.topic, list(ids)) if ids else []

    async def _read_left_out(self, table: Table[Any]) -> None:
        """Read the rows to read, but those deleted meanwhile."""
        ids, table.left_out = list(table.left_out), set()
        for start in range(0, len(ids), LARGE_ROWS):
            batch = ids[start : start + LARGE_ROWS]
            table.being_read = set(batch)
            for record in await self._source.rows(self._identity(), table.entity, self._feed.topic, batch):
                if UUID(record["id"]) in table.being_read:
                    table.being_read.discard(UUID(record["id"]))
                    table.apply(row_change(table.entity.table, record))
            table.rows.note_absent(table.being_read)
        self._feed.tell(table)
