"""Counts of the rows that match a query, where only the database has all of them."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, Protocol

import structlog
from pydantic import ValidationError

from services.entities import R, RowGroup
from services.errors import LivewatchError
from services.infra.tasks.coalescer import Reloads
from services.lists.counting import GroupCounts
from services.lists.query import ListQuery

logger = structlog.get_logger(__name__)

DATABASE_BUDGET = 0.05
"""Share of time that the counts of one list may keep the database busy while rows change."""
MIN_INTERVAL_SECONDS = 1.0


class Counted(Protocol[R]):
    """What counts; see `StoredRows.groups`."""

    async def groups(self, query: ListQuery[R]) -> GroupCounts[R]: ...


class QueryCounts(Generic[R]):
    """The rows with the words, of the range and of the selects of one query, by groups; end it with `close`.

    Args:
        stored: What counts.
        query: The query.
        on_news: Called after rows were counted, or could not be.
        interval: Minimum seconds between two counts.
    """

    def __init__(
        self,
        stored: Counted[R],
        query: ListQuery[R],
        *,
        on_news: Callable[[], object],
        interval: float = MIN_INTERVAL_SECONDS,
    ) -> None:
        self.is_exact = False
        """Whether the groups are all rows, and not a lower bound."""
        self._groups: Sequence[RowGroup[R]] | None = None
        self._is_due = True
        self._stored = stored
        self._query = query
        self._on_news = on_news
        self._interval = interval
        self._reloads = Reloads(self._read, name="counts of a list", on_failure=self._fail)
        self.close = self._reloads.close

    @property
    def groups(self) -> Sequence[RowGroup[R]] | None:
        """The groups, None while they are not known; whoever looks has them counted if rows have changed since."""
        if self._is_due:
            self._is_due = False
            self._reloads.request()
        return self._groups

    def outdate(self) -> None:
        """Note that rows have changed: they are counted again when somebody looks."""
        self._is_due = True

    async def _read(self) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            counted = await self._stored.groups(self._query)
        except ValidationError as error:
            logger.warning("groups of a list not valid", cause=str(error))
            return
        self._groups, self.is_exact = counted.groups, counted.is_exact
        cost = clock() - began
        self._on_news()
        await asyncio.sleep(max(self._interval, cost / DATABASE_BUDGET))

    def _fail(self, error: LivewatchError) -> None:
        logger.info("rows of a list not counted", cause=str(error))
        self._groups, self.is_exact = None, False
        self._on_news()
