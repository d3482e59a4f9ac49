"""A subscription: one filtered hold on a feed."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from datetime import datetime
from typing import Any, Generic, Protocol
from uuid import UUID

import structlog

from services.auth.identity import Identity
from services.entities import ConnectionStatus, LiveTable, R, RowGroup, Topic
from services.realtime.rows import Counts, D, Delta, Rows, S
from services.realtime.status import FeedStatus

logger = structlog.get_logger(__name__)

OnChange = Callable[[list[Delta[R]]], Awaitable[None] | None]
OnStatus = Callable[[FeedStatus], Awaitable[None] | None]


class Subscriber(Protocol):
    """Who holds subscriptions: a session with an identity that may change."""

    @property
    def identity(self) -> Identity:
        """The current identity. Raises SessionExpired when the session has ended."""


class RowSource(Protocol):
    """What a subscription reads: the rows of a feed."""

    def rows(self, entity: LiveTable[R]) -> Rows[R] | None:
        """The rows of a subscribed table; None before its first snapshot."""

    @property
    def last_event_at(self) -> datetime | None:
        """Time of the last event; None before the first."""


class Subscription(Generic[R]):
    """The rows of one entity on one topic that satisfy `where`, live until `close`.

    There are no rows until the database has confirmed that the subscriber may subscribe to the topic. The first rows
    are delivered to `on_change` as rows that appeared. Callbacks may be async; one that raises is logged and affects no
    other.

    Args:
        entity: Whose rows.
        topic: The organisation or user.
        session: Who subscribes.
        org_id: Keeps the rows of one organisation, on a user's topic; None keeps all.
        where: Keeps a row if true; None keeps all.
        row_id: Keeps one row, which is read even if it is older than those that a feed holds.
        on_change: Called with deltas; with none when only the counts of rows that are not held have changed.
        on_status: Called with every new status.
        on_close: Called once, by `close`.
    """

    def __init__(
        self,
        entity: LiveTable[R],
        topic: Topic,
        *,
        session: Subscriber,
        org_id: UUID | None = None,
        where: Callable[[R], bool] | None,
        row_id: UUID | None = None,
        on_change: OnChange[R] | None,
        on_status: OnStatus | None,
        on_close: Callable[["Subscription[R]"], None],
    ) -> None:
        self.entity = entity
        self.topic = topic
        self.session = session
        self.status = FeedStatus(status=ConnectionStatus.CONNECTING)
        self.is_closed = False
        self.is_denied = False
        """Whether it ended because its subscriber may not read the topic, or no longer."""
        self._source: RowSource | None = None
        self._org_id = org_id
        self._where = where if row_id is None else lambda row: row.id == row_id
        self.row_id = row_id
        self._on_change = on_change
        self._on_status = on_status
        self._on_close = on_close
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_loaded(self) -> bool:
        """Whether the rows are known; there may be none."""
        return self._all_rows is not None

    @property
    def last_event_at(self) -> datetime | None:
        """Time of the topic's last event as of now; the status has it as of the last probe."""
        return self._source.last_event_at if self._source else None

    def rows(self) -> list[R]:
        """The rows as last known, unordered; none before the first snapshot."""
        rows = self._all_rows
        if rows is None:
            return []
        # One row is looked up, not looked for among all.
        candidates = rows if self.row_id is None else filter(None, [rows.get(self.row_id)])
        return [row for row in candidates if self._passes(row)]

    def get(self, id: UUID) -> R | None:
        """The row of that id, if it is known and satisfies `where`."""
        rows = self._all_rows
        row = rows.get(id) if rows is not None else None
        return row if row and self._passes(row) else None

    @property
    def is_cut(self) -> bool:
        """Whether there are, or may be, rows of this subscription beyond those that are held."""
        rows = self._all_rows
        if rows is None or not rows.is_cut:
            return False
        if self.row_id is not None:
            return rows.get(self.row_id) is None and not rows.is_absent(self.row_id)
        groups = self.groups
        return groups is None or sum(group.count for group in groups) > len(self.rows())

    @property
    def complete_since(self) -> datetime | None:
        """See `Rows`."""
        rows = self._all_rows
        return rows.complete_since if rows is not None else None

    @property
    def absences(self) -> int:
        """See `Rows`."""
        rows = self._all_rows
        return rows.absences if rows is not None else 0

    def is_absent(self, id: UUID) -> bool:
        """See `Rows`."""
        rows = self._all_rows
        return rows is not None and rows.is_absent(id)

    @property
    def is_complete(self) -> bool:
        """Whether a row that is not here does not exist."""
        rows = self._all_rows
        return rows is not None and not rows.has_invalid and not self.is_cut

    @property
    def is_counted(self) -> bool:
        """Whether the counts are known as well as they can be."""
        rows = self._all_rows
        return rows is not None and rows.is_counted

    @property
    def groups(self) -> list[RowGroup[R]] | None:
        """All rows by groups, where more exist than are held; None where they were not counted."""
        rows = self._all_rows
        if rows is None or rows.groups is None or self._where is not None:
            return None
        return [group for group in rows.groups if self._org_id in (None, group.example.org_id)]

    def count(self, where: Callable[[R], bool]) -> Counts:
        """Count the rows that satisfy `where` as well: in the database, where more exist than are held.

        `where` must live as long as the process and read only the fields of the entity's grouping.
        """
        rows = self._all_rows
        if rows is None:
            return Counts(0, 0, is_exact=False)
        if (groups := self.groups) is not None:
            matching = sum(group.count for group in groups if where(group.example))
            return Counts(matching, sum(group.count for group in groups), is_exact=True)
        if self._is_unfiltered:
            return Counts(rows.count(where), len(rows), is_exact=not rows.is_cut)
        passing = self.rows()
        return Counts(sum(1 for row in passing if where(row)), len(passing), is_exact=not rows.is_cut)

    def shared(self, key: Hashable, make: Callable[[Rows[R]], S]) -> S | None:
        """See `Rows.shared`; None for a subscription with a filter, or without rows yet."""
        rows = self._all_rows
        return rows.shared(key, make) if rows is not None and self._is_unfiltered else None

    def derived(self, id: UUID, function: Callable[[R], D], *, epoch: int = 0) -> D | None:
        """See `Rows.derived`; ignores `where`."""
        rows = self._all_rows
        return rows.derived(id, function, epoch=epoch) if rows is not None else None

    def close(self) -> None:
        """End the subscription; idempotent."""
        if not self.is_closed:
            self.is_closed = True
            self._on_close(self)
            self._source = None

    # Called by the service and the feed

    def attach(self, source: RowSource) -> None:
        """Read from `source`: the subscriber may subscribe to the topic."""
        self._source = source

    def deny(self, cause: str) -> None:
        """End the subscription without access: remove its rows and set the cause as its status."""
        gone = [Delta(id=row.id, old=row, new=None) for row in self.rows()]
        self.close()
        self.is_denied = True
        if gone and self._on_change:
            self._call(self._on_change, gone)
        self.deliver_status(FeedStatus(status=ConnectionStatus.ERROR, cause=cause))

    def deliver(self, deltas: list[Delta[Any]]) -> None:
        """Pass on the deltas that concern this subscription; rows that `where` excludes count as absent."""
        if not self._is_unfiltered:
            deltas = [narrowed for delta in deltas if (narrowed := self._narrow(delta))]
        if deltas and self._on_change:
            self._call(self._on_change, deltas)

    def deliver_counts(self) -> None:
        """Pass on that the counts of the rows have changed, also of those that are not held."""
        if self._on_change:
            self._call(self._on_change, [])

    def deliver_status(self, status: FeedStatus) -> None:
        """Take a new status and pass it on."""
        self.status = status
        if self._on_status:
            self._call(self._on_status, status)

    @property
    def _all_rows(self) -> Rows[R] | None:
        return self._source.rows(self.entity) if self._source else None

    @property
    def _is_unfiltered(self) -> bool:
        return self._where is None and self._org_id is None

    def _passes(self, row: R) -> bool:
        return (self._org_id is None or row.org_id == self._org_id) and (self._where is None or self._where(row))

    def _narrow(self, delta: Delta[R]) -> Delta[R] | None:
        old = delta.old if delta.old and self._passes(delta.old) else None
        new = delta.new if delta.new and self._passes(delta.new) else None
        return Delta(id=delta.id, old=old, new=new) if old or new else None

    def _call(self, callback: Callable[[Any], Awaitable[None] | None], value: Any) -> None:
        try:
            result = callback(value)
        except Exception:
            self._log_failure()
            return
        if result is not None:
            task = asyncio.ensure_future(self._finish(result))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _finish(self, result: Awaitable[None]) -> None:
        try:
            await result
        except Exception:
            self._log_failure()

    def _log_failure(self) -> None:
        logger.exception("subscription callback failed", topic=str(self.topic), table=self.entity.table)
