"""One subscription on a feed, filtered."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, Protocol
from uuid import UUID

import structlog

from services.auth.identity import Identity
from services.entities import ConnectionStatus, Entity, R, Topic
from services.realtime.rows import D, Delta, Rows, S
from services.realtime.status import FeedStatus

if TYPE_CHECKING:
    from services.realtime.feed import Feed

logger = structlog.get_logger(__name__)

OnChange = Callable[[list[Delta[R]]], Awaitable[None] | None]
OnStatus = Callable[[FeedStatus], Awaitable[None] | None]


class Subscriber(Protocol):
    """Somebody who may hold subscriptions: their identity as it is now."""

    @property
    def identity(self) -> Identity:
        """Raises SessionExpired when the session has ended."""


class Subscription(Generic[R]):
    """The rows of one entity on one topic that satisfy `where`, live until `close`.

    Until the database has confirmed that the lessee may listen to the topic there are no rows. `on_change` is told of
    the first rows too, as rows that appeared. Callbacks may be async; one that raises is logged and hurts nobody.
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
        self._feed: Feed | None = None
        self._where = where
        self._on_change = on_change
        self._on_status = on_status
        self._on_close = on_close
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_loaded(self) -> bool:
        """Whether the rows are known, be they none."""
        return self._feed is not None and self._feed.rows(self.entity) is not None

    @property
    def last_event_at(self) -> datetime | None:
        """When the last event of the topic came, as of now: the status tells it as of the last probe."""
        return self._feed.meter.last_event_at if self._feed else None

    def rows(self) -> list[R]:
        """The rows as last known, in no order; none before the first snapshot."""
        rows = self._feed.rows(self.entity) if self._feed else None
        if rows is None:
            return []
        return [row for row in rows if self._where is None or self._where(row)]

    def get(self, id: UUID) -> R | None:
        """The row of that id, if it is known and satisfies `where`."""
        rows = self._feed.rows(self.entity) if self._feed else None
        row = rows.get(id) if rows else None
        return row if row and (self._where is None or self._where(row)) else None

    def count(self, where: Callable[[R], bool]) -> tuple[int, int]:
        """How many rows satisfy `where`, too, and how many there are; see `Rows.count`."""
        rows = self._feed.rows(self.entity) if self._feed else None
        if rows is None:
            return 0, 0
        if self._where is None:
            return rows.count(where), len(rows)
        mine = self.rows()
        return sum(1 for row in mine if where(row)), len(mine)

    def shared(self, key: Hashable, make: Callable[[Rows[R]], S]) -> S | None:
        """What all subscriptions on the same rows share, see `Rows.shared`; None when this one has not all of them."""
        rows = self._feed.rows(self.entity) if self._feed else None
        return rows.shared(key, make) if rows is not None and self._where is None else None

    def derived(self, id: UUID, function: Callable[[R], D], *, epoch: int = 0) -> D | None:
        """What `function` makes of a row, whether or not it satisfies `where`; see `Rows.derived`."""
        rows = self._feed.rows(self.entity) if self._feed else None
        return rows.derived(id, function, epoch=epoch) if rows is not None else None

    def close(self) -> None:
        """End the subscription; idempotent."""
        if not self.is_closed:
            self.is_closed = True
            self._on_close(self)
            self._feed = None

    # What the hub and the feed do

    def attach(self, feed: "Feed") -> None:
        """Start: the lessee may listen."""
        self._feed = feed
        feed.add(self)

    def deny(self, cause: str) -> None:
        """End: the lessee may not listen, or no longer. The rows go, and the status says why."""
        gone = [Delta(id=row.id, old=row, new=None) for row in self.rows()]
        self.close()
        if gone and self._on_change:
            self._call(self._on_change, gone)
        self.deliver_status(FeedStatus(status=ConnectionStatus.ERROR, cause=cause))

    def deliver(self, deltas: list[Delta[Any]]) -> None:
        """Tell of the changes that concern this subscription, with rows that `where` excludes as absent."""
        if self._where is not None:
            deltas = [narrowed for delta in deltas if (narrowed := self._narrow(delta))]
        if deltas and self._on_change:
            self._call(self._on_change, deltas)

    def deliver_status(self, status: FeedStatus) -> None:
        """Take a new status."""
        self.status = status
        if self._on_status:
            self._call(self._on_status, status)

    def _narrow(self, delta: Delta[R]) -> Delta[R] | None:
        old = delta.old if delta.old and self._where and self._where(delta.old) else None
        new = delta.new if delta.new and self._where and self._where(delta.new) else None
        return Delta(id=delta.id, old=old, new=new) if old or new else None

    def _call(self, callback: Callable[[Any], Awaitable[None] | None], value: Any) -> None:
        try:
            result = callback(value)
        except Exception:
            logger.exception("a subscriber's callback failed", topic=str(self.topic), table=self.entity.table)
            return
        if result is not None:
            task = asyncio.ensure_future(self._finish(result))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _finish(self, result: Awaitable[None]) -> None:
        try:
            await result
        except Exception:
            logger.exception("a subscriber's callback failed", topic=str(self.topic), table=self.entity.table)
