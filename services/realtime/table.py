"""One table of a feed: its rows, its subscriptions, and the changes buffered during a snapshot."""

from datetime import datetime
from typing import Any, Generic
from uuid import UUID

from services.entities import LiveTable, R
from services.realtime.delta_batcher import DeltaBatcher
from services.realtime.rows import Delta, Quarantine, Rows
from services.realtime.subscription import Subscription
from services.realtime.transports.change import Change


class Table(Generic[R]):
    """One subscribed table of a feed: its rows, its subscriptions, and the changes buffered during a snapshot."""

    def __init__(self, entity: LiveTable[R], quarantine: Quarantine) -> None:
        self.entity = entity
        self.rows = Rows(entity, quarantine=quarantine)
        self.subscriptions: set[Subscription[R]] = set()
        self.batcher = DeltaBatcher(self.deliver, interval=entity.interval)
        self.is_loaded = False
        self.left_out: set[UUID] = set()
        """Ids of rows to read: they were too large for the events of their changes, or are wanted by themselves."""
        self.being_read: set[UUID] = set()
        """Those of them that are read now, without the deleted ones: a key alone leaves no version to compare with."""
        self.adopts_older = False
        """Whether the next snapshot may bring older versions, of a database restored to an earlier state."""
        self.buffered: list[Change] | None = []
        """Changes since the snapshot was asked for; None while changes are applied at once."""

    def buffer_changes(self) -> list[Change]:
        """Return a new buffer; changes buffered before, on a lost channel, are part of the next snapshot."""
        self.buffered = []
        return self.buffered

    @property
    def wanted(self) -> set[UUID]:
        """Ids of the rows that subscriptions want by themselves."""
        return {each.row_id for each in self.subscriptions if each.row_id is not None}

    def want(self, id: UUID | None) -> None:
        """Have a row read that the latest snapshot lacks, unless it is known not to exist."""
        if id is not None and self.rows.is_cut and self.rows.get(id) is None and not self.rows.is_absent(id):
            self.left_out.add(id)

    def apply(self, change: Change) -> None:
        """Apply a change, or buffer it while a snapshot is read."""
        if change.record is None:
            self.being_read.discard(change.id)
        if self.buffered is not None:
            self.buffered.append(change)
        elif delta := self.rows.apply(change):
            self.batcher.add([delta])

    def fill(self, records: list[dict[str, Any]]) -> list[Delta[R]]:
        """Replace the rows by a snapshot, then apply the changes buffered since before it was read."""
        deltas = self.rows.replace(records, adopts_older=self.adopts_older)
        self.adopts_older = False
        buffered, self.buffered = self.buffered or [], None
        deltas += [delta for change in buffered if (delta := self.rows.apply(change))]
        self.is_loaded = True
        return deltas

    def deliver(self, deltas: list[Delta[R]]) -> None:
        """Deliver deltas to the subscriptions; a callback may close any of them."""
        for subscription in list(self.subscriptions):
            if not subscription.is_closed:
                subscription.deliver(deltas)


def complete_since_of(entity: LiveTable[Any], records: list[dict[str, Any]]) -> datetime | None:
    """Return the time from which on a snapshot has every row; None if it lacks some of any time."""
    last = records[-1]
    if entity.unfinished_first and not last.get("is_finished"):
        return None
    try:
        return datetime.fromisoformat(last[entity.recent])
    except (KeyError, TypeError, ValueError):
        return None
