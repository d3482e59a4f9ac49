"""A subscription: one filtered hold on a feed."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from datetime import datetime
from typing import Any, Generic, Protocol
from uuid import UUID

import structlog

from services.auth.identity import Identity
from services.entities import ConnectionStatus, Entity, R, Topic
from services.realtime.rows import D, Delta, Rows, S
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

    def rows(self, entity: Entity[R]) -> Rows[R] | None:
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
        where: Keeps a row if true; None keeps all.
        on_change: Called with deltas.
        on_status: Called with every new status.
        on_close: Called once, by `close`.
    """

    def __init__(
        self,
        entity: Entity[R],
        topic: Topic,
        *,
        session: Subscriber,
        where: Callable[[R], bool] | None,
        on_change: OnChange[R] | None,
        on_status: OnStatus | None,
        on_close: Callable[["Subscription[R]"], None],
    ) -> None:
        self.entity = entity
        self.topic = topic
        self.session = session
        self.status = FeedStatus(status=ConnectionStatus.CONNECTING)
        self.is_closed = False
        self._source: RowSource | None = None
        self._where = where
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
        return [row for row in rows if self._passes(row)] if rows is not None else []

    def get(self, id: UUID) -> R | None:
        """The row of that id, if it is known and satisfies `where`."""
        rows = self._all_rows
        row = rows.get(id) if rows is not None else None
        return row if row and self._passes(row) else None

    def count(self, where: Callable[[R], bool]) -> tuple[int, int]:
        """The number of rows that satisfy `where` as well, and the number of all; see `Rows.count`."""
        rows = self._all_rows
        if rows is None:
            return 0, 0
        if self._where is None:
            return rows.count(where), len(rows)
        passing = self.rows()
        return sum(1 for row in passing if where(row)), len(passing)

    def shared(self, key: Hashable, make: Callable[[Rows[R]], S]) -> S | None:
        """See `Rows.shared`; None for a subscription with a filter, or without rows yet."""
        rows = self._all_rows
        return rows.shared(key, make) if rows is not None and self._where is None else None

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
        if gone and self._on_change:
            self._call(self._on_change, gone)
        self.deliver_status(FeedStatus(status=ConnectionStatus.ERROR, cause=cause))

    def deliver(self, deltas: list[Delta[Any]]) -> None:
        """Pass on the deltas that concern this subscription; rows that `where` excludes count as absent."""
        if self._where is not None:
            deltas = [narrowed for delta in deltas if (narrowed := self._narrow(delta))]
        if deltas and self._on_change:
            self._call(self._on_change, deltas)

    def deliver_status(self, status: FeedStatus) -> None:
        """Take a new status and pass it on."""
        self.status = status
        if self._on_status:
            self._call(self._on_status, status)

    @property
    def _all_rows(self) -> Rows[R] | None:
        return self._source.rows(self.entity) if self._source else None

    def _passes(self, row: R) -> bool:
        return self._where is None or self._where(row)

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
