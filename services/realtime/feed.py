"""One topic: its rows, its status and who watches them, kept equal to the database by a supervisor."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, Generic
from uuid import UUID

from services.entities import ConnectionStatus, Entity, R, Topic
from services.errors import SessionExpired
from services.realtime.delta_batcher import DeltaBatcher
from services.realtime.meter import Meter, Totals
from services.realtime.rows import Delta, Quarantine, Rows
from services.realtime.source import Source
from services.realtime.status import FeedStatus
from services.realtime.supervisor import Supervisor
from services.realtime.transports.change import Change
from services.realtime.transports.transport import Transport

if TYPE_CHECKING:
    from services.realtime.subscription import Subscription


class Feed:
    """The rows of one topic, shared by every subscription on it.

    The hub adds only subscriptions whose holder may listen to the topic. A subscription's table is loaded when its first subscription
    comes and dropped with its last. Close with `aclose`.
    """

    def __init__(
        self,
        topic: Topic,
        *,
        transport: Transport,
        source: Source,
        quarantine: Quarantine,
        on_membership: Callable[[Topic], None],
        random: Random,
        totals: Totals | None = None,
    ) -> None:
        self.topic = topic
        self.status = FeedStatus(status=ConnectionStatus.CONNECTING)
        self.subscriptions: set[Subscription[Any]] = set()
        self.meter = Meter(totals=totals)
        self._quarantine = quarantine
        self._on_membership = on_membership
        self._tables: dict[str, Table[Any]] = {}
        self._probes: dict[UUID, asyncio.Future[None]] = {}
        self.supervisor = Supervisor(self, transport=transport, source=source, random=random)

    # Subscriptions

    def add(self, subscription: "Subscription[Any]") -> None:
        """Serve a subscription: its rows at once if they are known, else as soon as they are; then every change."""
        self.subscriptions.add(subscription)
        table = self._tables.get(subscription.entity.table)
        if table is None:
            table = self._tables[subscription.entity.table] = Table(subscription.entity, self._quarantine)
            self.supervisor.wake()
        # What waits to be told is in the rows that the new subscription gets.
        table.batcher.flush()
        table.subscriptions.add(subscription)
        if table.is_loaded:
            subscription.deliver([Delta(id=row.id, old=None, new=row) for row in table.rows])
        subscription.deliver_status(self.status)

    def discard(self, subscription: "Subscription[Any]") -> None:
        """Serve a subscription no more; idempotent."""
        self.subscriptions.discard(subscription)
        if table := self._tables.get(subscription.entity.table):
            table.subscriptions.discard(subscription)
            if not table.subscriptions:
                table.batcher.cancel()
                del self._tables[subscription.entity.table]
        self.supervisor.wake()

    def rows(self, entity: Entity[R]) -> Rows[R] | None:
        """The rows of a watched table, or None while no snapshot of it was read."""
        table = self._tables.get(entity.table)
        return table.rows if table and table.is_loaded else None

    def token_owner(self) -> "Subscription[Any] | None":
        """The subscription whose access token lasts longest, or None when nobody has a usable one."""
        best: tuple[datetime, Subscription[Any]] | None = None
        for subscription in self.subscriptions:
            try:
                expires_at = subscription.session.identity.expires_at
            except SessionExpired:
                continue
            if best is None or expires_at > best[0]:
                best = (expires_at, subscription)
        return best[1] if best and best[0] > datetime.now(UTC) + timedelta(seconds=1) else None

    async def aclose(self) -> None:
        """End the channel; idempotent."""
        await self.supervisor.aclose()

    # What arrives: the Sink of the transport

    def change(self, change: Change) -> None:
        self.meter.arrived()
        table = self._tables.get(change.table)
        if table is None:
            return
        if table.buffered is not None:
            table.buffered.append(change)
        elif delta := table.rows.apply(change):
            table.batcher.add([delta])

    def membership(self) -> None:
        self.meter.arrived()
        self._on_membership(self.topic)

    def probe(self, nonce: UUID) -> None:
        if (waiting := self._probes.get(nonce)) and not waiting.done():
            waiting.set_result(None)

    def resync_required(self, table: str) -> None:
        self.meter.arrived()
        if watched := self._tables.get(table):
            watched.buffer_changes()
            self.supervisor.wake()

    def malformed(self, payload: Mapping[str, Any], reason: str) -> None:
        self.meter.arrived()
        row = payload.get("record") or payload.get("old_record")
        id = row.get("id") if isinstance(row, Mapping) else None
        self._quarantine(str(payload.get("table")), str(id), reason)

    # What the supervisor does

    def buffer_changes(self) -> None:
        """From now on buffer_changes back every change, until its table's snapshot is in."""
        for table in self._tables.values():
            table.buffer_changes()

    def unloaded(self) -> "Iterator[Table[Any]]":
        """The tables that wait for a snapshot."""
        return iter([table for table in self._tables.values() if table.buffered is not None or not table.is_loaded])

    def loaded(self) -> "Iterator[Table[Any]]":
        """The tables that a snapshot has filled."""
        return iter([table for table in self._tables.values() if table.is_loaded])

    def take_snapshot(self, table: "Table[R]", records: list[dict[str, Any]]) -> int:
        """Fill a table, apply what was buffered back, and tell its subscriptions.

        Returns how many rows were wrong; those that newer ones took the place of, beyond the table's limit, were not.
        """
        table.batcher.flush()
        deltas = table.fill(records)
        if deltas:
            table.deliver(deltas)
        # That there are no rows is news too.
        for subscription in list(table.subscriptions):
            subscription.deliver_status(self.status)
        is_cut = len(records) >= table.entity.limit
        return sum(1 for delta in deltas if delta.new or not is_cut)

    def set_status(self, status: FeedStatus) -> None:
        """Take a new status and tell every subscription."""
        self.status = status
        for subscription in list(self.subscriptions):
            subscription.deliver_status(status)

    def expect_probe(self, nonce: UUID) -> "asyncio.Future[None]":
        """A future that is done when that probe comes back."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._probes[nonce] = waiting
        waiting.add_done_callback(lambda _: self._probes.pop(nonce, None))
        return waiting

    def recheck_subscriptions(self) -> None:
        """Have the subscriptions of everybody here checked: somebody was refused, or what would tell was not heard."""
        self._on_membership(self.topic)


class Table(Generic[R]):
    """One watched table of a feed: its rows, its subscriptions, and the changes buffered back while a snapshot is read."""

    def __init__(self, entity: Entity[R], quarantine: Quarantine) -> None:
        self.entity = entity
        self.rows = Rows(entity, quarantine=quarantine)
        self.subscriptions: set[Subscription[R]] = set()
        self.batcher = DeltaBatcher(self.deliver)
        self.is_loaded = False
        self.buffered: list[Change] | None = []

    def buffer_changes(self) -> None:
        """Hold changes back; those buffered already, on a channel that was lost, are in the next snapshot."""
        self.buffered = []

    def fill(self, records: list[dict[str, Any]]) -> list[Delta[R]]:
        """Take a snapshot, then what was buffered back since before it was read."""
        deltas = self.rows.replace(records)
        buffered, self.buffered = self.buffered or [], None
        deltas += [delta for change in buffered if (delta := self.rows.apply(change))]
        self.is_loaded = True
        return deltas

    def deliver(self, deltas: list[Delta[R]]) -> None:
        """Tell the subscriptions; a callback may close any of them."""
        for subscription in list(self.subscriptions):
            if not subscription.is_closed:
                subscription.deliver(deltas)
