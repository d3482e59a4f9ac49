"""The rows of one list: those that a feed holds, and beyond them those of the database, page by page."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, Generic, Protocol
from uuid import UUID

import structlog

from components.views.lists.query_counts import Counted, QueryCounts
from components.views.shared import AllRows
from components.window.batch import Missing
from services.entities import R, RowGroup
from services.errors import LivewatchError
from services.infra.tasks.coalescer import Reloads
from services.lists.pages import LOWEST_ID, PAGE_ROWS, Page, Position
from services.lists.query import ListQuery
from services.realtime import Delta, Subscription
from services.realtime.rows import D

logger = structlog.get_logger(__name__)

MAX_STORED = 5000
"""Rows of the database that one list holds; a range of time leads further back."""
Place = tuple[Any, UUID]
"""Where a row is in an order: its key and its id."""


class Stored(Counted[R], Protocol[R]):
    """What is read from the database; see `StoredRows`."""

    async def page(self, query: ListQuery[R], after: Position | None = None) -> Page[R]: ...

    async def rows(self, ids: Collection[UUID]) -> dict[UUID, R]: ...


class JoinedRows(Generic[R]):
    """A row source: the rows of a subscription as far as they are complete, and the pages read so far.

    A feed below its limit holds every row, and nothing is read. Above it the held rows are complete down to a place in
    the order of the list: all rows from some time on, or none in an order by something else. From there on pages are
    read, one with each `reach`. A row is the feed's where it holds it, and changes with it.

    Args:
        held: The rows of the feed.
        stored: The rows of the database.
        query: The choice of rows and their order.
        on_news: Called after something was read: the list is to be shown again.
    """

    def __init__(
        self, held: Subscription[R], stored: Stored[R], query: ListQuery[R], *, on_news: Callable[[], object]
    ) -> None:
        self._held = held
        self._stored = stored
        self._on_news = on_news
        self._closers: list[Callable[[], object]] = []
        self.choose(query)

    def choose(self, query: ListQuery[R]) -> None:
        """Take another query, and forget what was read."""
        self.close()
        self.query = query
        self.is_partial = False
        """Whether the feed does not hold all rows."""
        self.is_failed = False
        """Whether the last reading failed; it is tried again."""
        self._rows: dict[UUID, R] = {}
        self._derived: dict[UUID, dict[Callable[[R], Any], tuple[int, Any]]] = {}
        self._unchecked: set[UUID] = set()
        self._absences = -1
        self._next: Position | None = None
        self._reached: Place | None = None
        self._is_reading = False
        self._is_read = False
        self._pages = Reloads(self._read_page, name="page of a list", on_failure=self._fail)
        self._checks = Reloads(self._read_again, name="check of rows", on_failure=self._log)
        self.counts = QueryCounts(self._stored, query, on_news=self._on_news)
        self._closers = [self._pages.close, self._checks.close, self.counts.close]

    def close(self) -> None:
        """Stop reading; idempotent."""
        for close in self._closers:
            close()

    # What a view asks

    @property
    def is_loaded(self) -> bool:
        """Whether the first rows are known; there may be none."""
        self._join()
        return self._held.is_loaded and (not self.is_partial or self._reached is not None or self._is_read)

    @property
    def is_denied(self) -> bool:
        return self._held.is_denied

    @property
    def is_cut(self) -> bool:
        """Whether there are, or may be, rows beyond those that are here."""
        return self.is_partial and not self._is_read

    @property
    def has_read(self) -> bool:
        """Whether rows of the database are here, or were found not to exist."""
        return bool(self._rows) or self._is_read

    @property
    def is_full(self) -> bool:
        """Whether it holds as many rows of the database as it may."""
        return len(self._rows) >= MAX_STORED

    @property
    def more(self) -> int:
        """How many more rows are read at a time; 0 if there are none to read."""
        return PAGE_ROWS if self.is_cut and not self.is_full else 0

    @property
    def missing(self) -> Missing:
        """Why rows may exist that are not here."""
        if self.is_denied:
            return "refused"
        if self.is_cut:
            return "failed" if self.is_failed else "beyond" if self.is_full else "reading"
        return "" if self.is_partial or self._held.is_complete else "invalid"

    @property
    def is_complete(self) -> bool:
        return not self.missing

    @property
    def earliest(self) -> datetime | None:
        """The earliest time of the rows of the database that are here, by which ranges select."""
        times = [getattr(row, self.query.spec.time) for row in self._rows.values()]
        return min(filter(None, times), default=None)

    @property
    def all_groups(self) -> Sequence[RowGroup[R]] | None:
        """All rows by groups, whatever the query; None if they were not counted."""
        return self._held.groups

    @property
    def groups(self) -> Sequence[RowGroup[R]] | None:
        """The rows with the words, of the range and of the selects by groups; None while they are not known."""
        return self.counts.groups if self.needs_counts else self._held.groups

    @property
    def is_exact(self) -> bool:
        """Whether `groups` are all rows and not a lower bound."""
        return self.counts.is_exact if self.needs_counts else self._held.groups is not None

    @property
    def needs_counts(self) -> bool:
        """Whether the query has parts by which only the database counts."""
        return self.is_partial and not self.query.has_chips_only

    def rows(self) -> list[R]:
        self._join()
        held = self._held.rows()
        if not self.is_partial:
            return held
        held_ids = {row.id for row in held}
        stored = [row for row in self._rows.values() if row.id not in held_ids]
        return [row for row in held if self._is_reached(row)] + stored

    def get(self, id: UUID) -> R | None:
        row = self._held.get(id)
        if row is None:
            return self._rows.get(id)
        return row if not self.is_partial or self._is_reached(row) else None

    def derived(self, id: UUID, function: Callable[[R], D], *, epoch: int = 0) -> D | None:
        if self._held.get(id) is not None:
            return self._held.derived(id, function, epoch=epoch)
        if id not in self._rows:
            return None
        kept = self._derived.setdefault(id, {})
        if function not in kept or kept[function][0] != epoch:
            kept[function] = (epoch, function(self._rows[id]))
        value: D = kept[function][1]
        return value

    # What a list tells

    def reach(self) -> None:
        """Read one more page, unless one is on its way or there is none."""
        self._join()
        if self.more and not self._is_reading:
            self._is_reading = True
            self._pages.request()

    def take(self, deltas: Collection[Delta[R]]) -> None:
        """Take changes of the held rows.

        A row that the feed let go stays here, and the database is asked whether it was deleted.
        """
        if not self.is_partial:
            return
        for delta in deltas:
            if delta.new is not None:
                if delta.id in self._rows:
                    self._put(delta.new)
            elif self._held.is_absent(delta.id):
                self._forget(delta.id)
            elif delta.old is not None and self._is_reached(delta.old):
                self._put(delta.old)
                self._unchecked.add(delta.id)
        if self._absences != self._held.absences:
            self._absences = self._held.absences
            for id in [id for id in self._rows if self._held.is_absent(id)]:
                self._forget(id)
        if self._unchecked:
            self._checks.request()
        self.counts.outdate()

    def recheck(self) -> None:
        """Ask the database about the rows that are here: changes may have been missed."""
        self._unchecked |= self._rows.keys()
        if self._unchecked:
            self._checks.request()
        self.counts.outdate()

    def _join(self) -> None:
        """Begin where the held rows end, once there are some and more than these exist."""
        if self.is_partial or not self._held.is_loaded or not self._held.is_cut:
            return
        self.is_partial = True
        if (place := place_of_held(self._held, self.query)) is not None:
            assert self._held.complete_since is not None
            self._next, self._reached = Position.at(self._held.complete_since), place
        else:
            self.reach()

    def _is_reached(self, row: R) -> bool:
        return self._is_read or (self._reached is not None and (self.query.sort.key(row), row.id) <= self._reached)

    async def _read_page(self) -> None:
        page = await self._stored.page(self.query, self._next)
        self._is_reading = self.is_failed = False
        for row in page.rows:
            # A deletion may have come while the page was on its way.
            if not self._held.is_absent(row.id):
                self._put(row)
        self._next, self._is_read = page.next, page.next is None
        places = [(self.query.sort.key(row), row.id) for row in page.rows]
        self._reached = max([*places, self._reached] if self._reached is not None else places, default=None)
        self._on_news()

    async def _read_again(self) -> None:
        ids, self._unchecked = list(self._unchecked), set()
        try:
            found = await self._stored.rows(ids)
        except LivewatchError:
            self._unchecked.update(ids)
            raise
        for id in ids:
            if id not in found:
                self._forget(id)
            elif id in self._rows and found[id].version >= self._rows[id].version:
                self._put(found[id])
        self._on_news()

    def _fail(self, error: LivewatchError) -> None:
        self._log(error)
        self.is_failed = True
        self._on_news()

    def _log(self, error: LivewatchError) -> None:
        logger.info("rows of a list not read", table=self._held.entity.table, cause=str(error))

    def _put(self, row: R) -> None:
        self._rows[row.id] = row
        self._derived.pop(row.id, None)

    def _forget(self, id: UUID) -> None:
        self._rows.pop(id, None)
        self._derived.pop(id, None)


def place_of_held(held: Subscription[R] | AllRows[R], query: ListQuery[R]) -> Place | None:
    """Return the place in the order of a query down to which a cut feed holds every row; None if it may lack any."""
    sort, since = query.sort, held.complete_since
    if since is None or sort.since is None or sort.sql not in ("created_at", held.entity.recent):
        return None
    # A row that was created after that time was changed after it, too.
    return sort.since(since), LOWEST_ID
