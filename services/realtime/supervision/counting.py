"""Counts of the tables that have more rows than their feed holds, asked of the database as they change."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from pydantic import ValidationError

from services.auth.identity import Identity
from services.entities.base.grouping import read_groups
from services.errors import LivewatchError
from services.realtime.feed import Feed
from services.realtime.source import Source
from services.realtime.table import Table

logger = structlog.get_logger(__name__)

MIN_INTERVAL_SECONDS = 0.5
"""Time between two counts of a feed that keeps changing."""
DATABASE_BUDGET = 0.05
"""Share of time that the counts of one feed may keep the database busy."""
RETRY_INTERVAL_SECONDS = 5.0
MAX_INTERVAL_SECONDS = 30.0
"""Time between two counts of a feed that does not change: some groups change with time alone."""


class GroupCounter:
    """Counts the cut tables of one feed by groups: after changes, coalesced, and now and then without any.

    A feed below its limits holds every row, so that its own counts are exact and nothing is asked. A failed count
    leaves the table without counts, which views show as lower bounds, and is tried again.

    Args:
        feed: The feed.
        source: Where the counts are read.
        identity: Returns who reads; raises SessionExpired without a subscriber.
    """

    def __init__(self, feed: Feed, source: Source, identity: Callable[[], Identity]) -> None:
        self._feed = feed
        self._source = source
        self._identity = identity

    async def run(self) -> None:
        """Count until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            self._feed.uncounted.clear()
            began = clock()
            tables = [table for table in self._feed.loaded() if table.rows.is_cut]
            has_failed = False
            for table in tables:
                has_failed = not await self._count(table) or has_failed
            cost = clock() - began
            await asyncio.sleep(min(MAX_INTERVAL_SECONDS, max(MIN_INTERVAL_SECONDS, cost / DATABASE_BUDGET)))
            await self._changed(within=RETRY_INTERVAL_SECONDS if has_failed else MAX_INTERVAL_SECONDS)

    async def _changed(self, *, within: float) -> None:
        """Wait for a change of a cut table, at most `within` seconds."""
        timer = asyncio.get_running_loop().call_later(within, self._feed.uncounted.set)
        try:
            await self._feed.uncounted.wait()
        finally:
            timer.cancel()

    async def _count(self, table: Table[Any]) -> bool:
        """Count one table; returns whether the database answered."""
        entity, groups, has_answered = table.entity, None, True
        try:
            if entity.grouping is not None:
                records = await self._source.groups(self._identity(), entity, self._feed.topic)
                groups = read_groups(entity.model, entity.grouping, records)
        except (LivewatchError, ValidationError) as error:
            logger.info("rows not counted", topic=str(self._feed.topic), table=entity.table, cause=str(error))
            has_answered = False
        self._feed.take_groups(table, groups)
        return has_answered
