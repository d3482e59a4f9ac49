"""A feed: the rows of one topic, its status and its subscriptions."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from services.entities import ConnectionStatus, LiveTable, R, RowGroup, Topic
from services.errors import SessionExpired
from services.realtime.meter import Meter, Totals
from services.realtime.rows import Delta, Quarantine, Rows
from services.realtime.status import FeedStatus
from services.realtime.subscription import Subscription
from services.realtime.table import Table, complete_since_of
from services.realtime.transports.change import Change
from services.realtime.transports.notes_signal import CaretSignal, NotesSignal
from services.realtime.transports.typing_signal import TypingSignal

MIN_TOKEN_LIFE = timedelta(seconds=1)


class Feed:
    """The rows of one topic, shared by every subscription on it; a supervisor keeps them equal to the database.

    A table is loaded with its first subscription and dropped with its last. Subscriptions must be authorised before
    they are added.

    Args:
        topic: The organisation or user.
        quarantine: Takes rows that fail validation.
        on_membership: Called with the topic when memberships changed, or may have changed unnoticed.
        on_profile: Called with the topic when the user's profile changed.
        on_team: Called with the topic and an organisation of the user when its team changed.
        on_typing: Called with the topic of an organisation when a member is typing.
        on_notes: Called with each signal of the notes of an organisation's streams.
        totals: Sums over all feeds.
    """

    def __init__(
        self,
        topic: Topic,
        *,
        quarantine: Quarantine,
        on_membership: Callable[[Topic], None],
        on_profile: Callable[[Topic], object] = lambda _: None,
        on_team: Callable[[Topic, UUID], object] = lambda *_: None,
        on_typing: Callable[[Topic, TypingSignal], object] = lambda *_: None,
        on_notes: Callable[[NotesSignal | CaretSignal], object] = lambda _: None,
        totals: Totals | None = None,
    ) -> None:
        self.topic = topic
        self.status = FeedStatus(status=ConnectionStatus.CONNECTING)
        self.subscriptions: set[Subscription[Any]] = set()
        self.meter = Meter(totals=totals)
        self.on_wake: Callable[[], None] = lambda: None
        """Called when there is something for the supervisor to do; the supervisor sets it."""
        self.uncounted = asyncio.Event()
        """Set when a table with more rows than are held has changed since its rows were counted."""
        self.recheck_subscriptions = partial(on_membership, topic)
        """Has every subscription's authorisation checked again."""
        self._on_profile = on_profile
        self._on_team = on_team
        self._on_typing = on_typing
        self._on_notes = on_notes
        self._quarantine = quarantine
        self._tables: dict[str, Table[Any]] = {}
        self._probes: dict[UUID, asyncio.Future[None]] = {}

    # Subscriptions

    def add(self, subscription: Subscription[Any]) -> None:
        """Serve a subscription: its rows now or as soon as they are loaded, then every change."""
        self.subscriptions.add(subscription)
        subscription.attach(self)
        table = self._tables.get(subscription.entity.table)
        if table is None:
            table = self._tables[subscription.entity.table] = Table(subscription.entity, self._quarantine)
        # Pending deltas are included in the rows that the new subscription gets.
        table.batcher.flush()
        table.subscriptions.add(subscription)
        if table.is_loaded:
            table.want(subscription.row_id)
            subscription.deliver([Delta(id=row.id, old=None, new=row) for row in table.rows])
        subscription.deliver_status(self.status)
        self.on_wake()

    def discard(self, subscription: Subscription[Any]) -> None:
        """Stop serving a subscription; idempotent."""
        self.subscriptions.discard(subscription)
        if table := self._tables.get(subscription.entity.table):
            table.subscriptions.discard(subscription)
            if not table.subscriptions:
                table.batcher.cancel()
                del self._tables[subscription.entity.table]
        self.on_wake()

    def rows(self, entity: LiveTable[R]) -> Rows[R] | None:
        """The rows of a subscribed table; None before its first snapshot."""
        table = self._tables.get(entity.table)
        return table.rows if table and table.is_loaded else None

    @property
    def last_event_at(self) -> datetime | None:
        """Time of the last event; None before the first."""
        return self.meter.last_event_at

    def token_owner(self) -> Subscription[Any] | None:
        """The subscription whose access token is valid longest; None when no token is usable."""
        best: tuple[datetime, Subscription[Any]] | None = None
        for subscription in self.subscriptions:
            try:
                expires_at = subscription.session.identity.expires_at
            except SessionExpired:
                continue
            if best is None or expires_at > best[0]:
                best = (expires_at, subscription)
        return best[1] if best and best[0] > datetime.now(UTC) + MIN_TOKEN_LIFE else None

    # Events, as the sink of a transport

    def change(self, change: Change) -> None:
        self.meter.record_event()
        table = self._tables.get(change.table)
        if table is None:
            return
        if table.rows.is_cut:
            self.uncounted.set()
        table.apply(change)

    def membership(self) -> None:
        self.meter.record_event()
        self.recheck_subscriptions()

    def profile(self) -> None:
        self.meter.record_event()
        self._on_profile(self.topic)

    def team(self, org_id: UUID) -> None:
        self.meter.record_event()
        self._on_team(self.topic, org_id)

    def typing(self, signal: TypingSignal) -> None:
        self.meter.record_event()
        self._on_typing(self.topic, signal)

    def notes(self, signal: NotesSignal | CaretSignal) -> None:
        self.meter.record_event()
        self._on_notes(signal)

    def probe(self, nonce: UUID) -> None:
        if (waiting := self._probes.get(nonce)) and not waiting.done():
            waiting.set_result(None)

    def resync_required(self, table: str) -> None:
        self.meter.record_event()
        if subscribed := self._tables.get(table):
            subscribed.buffer_changes()
            self.on_wake()

    def row_left_out(self, table: str, id: UUID) -> None:
        self.meter.record_event()
        if subscribed := self._tables.get(table):
            subscribed.left_out.add(id)
            self.on_wake()

    def malformed(self, payload: Mapping[str, Any], reason: str) -> None:
        self.meter.record_event()
        row = payload.get("record") or payload.get("old_record")
        id = row.get("id") if isinstance(row, Mapping) else None
        self._quarantine(str(payload.get("table")), str(id), reason)

    # Called by the supervisor

    def buffer_changes(self) -> None:
        """Buffer every change until its table's snapshot is in; the database may be at an earlier state by then."""
        for table in self._tables.values():
            table.buffer_changes()
            table.adopts_older = True

    def unloaded(self) -> list[Table[Any]]:
        """The tables that need a snapshot."""
        return [table for table in self._tables.values() if table.buffered is not None or not table.is_loaded]

    def loaded(self) -> list[Table[Any]]:
        """The tables with a snapshot."""
        return [table for table in self._tables.values() if table.is_loaded]

    def incomplete(self) -> list[Table[Any]]:
        """The tables with rows to read."""
        return [table for table in self._tables.values() if table.left_out]

    def take_snapshot(
        self, table: Table[R], records: list[dict[str, Any]], further: Sequence[dict[str, Any]] = ()
    ) -> int:
        """Fill a table, apply the buffered changes, and deliver what differs.

        Args:
            table: The table.
            records: The snapshot.
            further: Rows beyond it that subscriptions want.

        Returns:
            The number of rows that were wrong; rows that fell beyond the table's limit are not counted.
        """
        table.batcher.flush()
        deltas = table.fill([*records, *further])
        is_cut = len(records) >= table.entity.limit
        table.rows.cut(is_cut, complete_since=complete_since_of(table.entity, records) if is_cut else None)
        if is_cut:
            self.uncounted.set()
        if deltas:
            table.deliver(deltas)
        # A status is delivered with no rows, too: "none" is known from here on.
        self.tell(table)
        return sum(1 for delta in deltas if delta.new or not is_cut)

    def tell(self, table: Table[Any]) -> None:
        """Tell a table's subscriptions that more is known of its rows, or of those that there are not."""
        table.batcher.flush()
        for subscription in list(table.subscriptions):
            subscription.deliver_status(self.status)

    def take_groups(self, table: Table[R], groups: tuple[RowGroup[R], ...] | None) -> None:
        """Take the counts of a table with more rows than are held, and tell its subscriptions."""
        table.rows.count_all(groups)
        table.batcher.flush()
        for subscription in list(table.subscriptions):
            subscription.deliver_counts()

    def set_status(self, status: FeedStatus) -> None:
        """Take a new status and deliver it to every subscription."""
        self.status = status
        for subscription in list(self.subscriptions):
            subscription.deliver_status(status)

    def expect_probe(self, nonce: UUID) -> "asyncio.Future[None]":
        """Return a future that is done when the probe with `nonce` comes back."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._probes[nonce] = waiting
        waiting.add_done_callback(lambda _: self._probes.pop(nonce, None))
        return waiting
